package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/e2e/measure"
)

const secret = "reliability-secret"

// gateway is a running binary whose site speaks all protocols, with a
// certificate of Caddy's internal authority.
type gateway struct {
	*measure.Gateway
	roots *x509.CertPool
	site  site
}

// site is what differs from one gateway to the other.
type site struct {
	application *application
	faulty      *application // another one beside it, if set
	global      string       // global options
	options     []string     // of verify_webhook
	within      string       // answer_within before the faulty application
	beside      []hook       // further applications, with options of their own
	before      []string     // handlers before verify_webhook
	after       []string     // handlers after it
	proxy       []string     // options of reverse_proxy
	more        []string     // further routes
	env         []string     // variables of the process
	mark        string       // makes a configuration another one
}

// hook is an application with the options of the verify_webhook before it.
type hook struct {
	*application
	options []string
}

func (s site) caddyfile() string {
	var routes strings.Builder
	route := func(a *application, options ...string) {
		fmt.Fprintf(&routes, routeFormat, a.path, strings.Join(s.before, "\n\t\t"), a.path[1:],
			strings.Join(options, "\n\t\t\t"), strings.Join(s.after, "\n\t\t"), a.addr, strings.Join(s.proxy, "\n\t\t\t"))
	}
	route(s.application, s.options...)
	if s.faulty != nil {
		route(s.faulty, append(slices.Clone(s.options), "answer_within "+s.within)...)
	}
	for _, h := range s.beside {
		route(h.application, h.options...)
	}
	for _, text := range s.more {
		routes.WriteString(text)
	}
	return fmt.Sprintf(siteFormat, s.global, s.mark, routes.String())
}

const routeFormat = `
	route %s {
		%s
		verify_webhook craneops {env.RELIABILITY_SECRET} {
			provider %s
			%s
		}
		%s
		reverse_proxy %s {
			%s
			transport http {
				# The cores may be busy with more senders than anybody has.
				dial_timeout 30s
			}
		}
	}`

const siteFormat = `{
	admin {$ADMIN}
	persist_config off
	skip_install_trust
	auto_https disable_redirects
	default_sni 127.0.0.1
	%s
}
https://127.0.0.1:{$PORT} {
	bind 127.0.0.1
	tls internal
	header X-Configuration "%s"
	handle_errors {
		header X-Reason {http.verify_webhook.reason}
		respond "" {err.status_code}
	}
	%s
	route /respond {
		respond 204
	}
	route /refuse {
		error 401
	}
	respond 404
}
`

// startGateway returns once the site answers over every protocol.
func startGateway(ctx context.Context, t *trial, s site) (*gateway, error) {
	started, err := measure.Start(t.binary, s.caddyfile(), append(s.env, "RELIABILITY_SECRET="+secret)...)
	if err != nil {
		return nil, err
	}
	g := &gateway{Gateway: started, site: s}
	if err := g.awaitReady(ctx); err != nil {
		g.Stop()
		return nil, err
	}
	return g, nil
}

func (g *gateway) awaitReady(ctx context.Context) error {
	var err error
	for range 1200 { // a minute at least: the machine may be busy
		if err = g.ready(ctx); err == nil {
			return nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("the gateway is not ready: %w", err)
}

func (g *gateway) ready(ctx context.Context) error {
	pem, err := os.ReadFile(filepath.Join(g.Dir, "caddy/pki/authorities/local/root.crt"))
	if err != nil {
		return err
	}
	g.roots = x509.NewCertPool()
	if !g.roots.AppendCertsFromPEM(pem) {
		return errors.New("no certificate of the internal authority")
	}
	for _, p := range all {
		c := g.client(p)
		_, err := c.post(ctx, "/respond", nil, 0, nil)
		c.close()
		if err != nil {
			return err
		}
	}
	return nil
}

// restart starts the process again, which has ended, and returns once the site
// answers.
func (g *gateway) restart(ctx context.Context, env ...string) error {
	if err := g.Restart(env...); err != nil {
		return err
	}
	return g.awaitReady(ctx)
}

// reload loads the same site with another mark.
func (g *gateway) reload(ctx context.Context, mark string) error {
	next := g.site
	next.mark = mark
	return g.load(ctx, next)
}

// load has the gateway change to another site.
func (g *gateway) load(ctx context.Context, next site) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+g.Admin+"/load", strings.NewReader(next.caddyfile()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "text/caddyfile")
	_, err = ask(r)
	return err
}

// goroutines is how many the gateway has.
func (g *gateway) goroutines(ctx context.Context) (int, error) {
	text, err := g.get(ctx, "/debug/pprof/goroutine?debug=1")
	if err != nil {
		return 0, err
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	_, total, _ := strings.Cut(string(line), "total ")
	return strconv.Atoi(strings.TrimSpace(total))
}

// buffered is how many bytes of bodies the gateway says that it holds.
func (g *gateway) buffered(ctx context.Context) (int64, error) {
	n, err := g.metric(ctx, "buffered_bytes")
	return int64(n), err
}

// metric is the sum of the series of Hooklatch's metric of this name that have
// all of the labels, written as {name="value"}.
func (g *gateway) metric(ctx context.Context, name string, labels ...string) (float64, error) {
	text, err := g.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, "caddy_verify_webhook_"+name)
		if !ok || rest[0] != '{' && rest[0] != ' ' || !has(rest, labels) {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			return 0, err
		}
		sum, found = sum+n, true
	}
	if !found {
		return 0, errors.New("no metric " + name)
	}
	return sum, nil
}

func has(series string, labels []string) bool {
	for _, label := range labels {
		if !strings.Contains(series, label) {
			return false
		}
	}
	return true
}

func (g *gateway) get(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.Admin+path, nil)
	if err != nil {
		return nil, err
	}
	return ask(r)
}

func ask(r *http.Request) ([]byte, error) {
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %.300s", r.Method, r.URL.Path, res.Status, text)
	}
	return text, err
}

// pause waits, or says that the run is over.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
