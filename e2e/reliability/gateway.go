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
	env         []string     // variables of the process
	mark        string       // makes a configuration another one
}

func (s site) caddyfile() string {
	var routes strings.Builder
	route := func(a *application, options ...string) {
		fmt.Fprintf(&routes, routeFormat, a.path, a.path[1:], strings.Join(options, "\n\t\t\t"), a.addr)
	}
	route(s.application, s.options...)
	if s.faulty != nil {
		route(s.faulty, append(slices.Clone(s.options), "answer_within "+s.within)...)
	}
	return fmt.Sprintf(siteFormat, s.global, s.mark, routes.String())
}

const routeFormat = `
	route %s {
		verify_webhook craneops {env.RELIABILITY_SECRET} {
			provider %s
			%s
		}
		reverse_proxy %s {
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

// reload loads the same site with another mark.
func (g *gateway) reload(ctx context.Context, mark string) error {
	next := g.site
	next.mark = mark
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
	const name = "caddy_verify_webhook_buffered_bytes "
	text, err := g.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return int64(n), err
		}
	}
	return 0, errors.New("no metric " + name)
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
