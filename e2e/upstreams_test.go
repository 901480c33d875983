package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"strings"
	"sync"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestUpstreamThatAnswersEarly: the first upstream answers 503 before it has
// read the body, so its transport may still be sending when the second one gets
// the delivery. The second one gets exactly the signed body, or nothing.
func TestUpstreamThatAnswersEarly(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	go func() {
		for {
			conn, err := busy.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 1024))
				_, _ = io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy")
				_, _ = conn.Read(make([]byte, 1024))
			}()
		}
	}()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Route("/craneops",
		harness.Verify("craneops", "CRANEOPS_SECRET", "max_body 8MiB"),
		`reverse_proxy `+busy.Addr().String()+` `+app.Addr+` {
			lb_policy round_robin
			lb_retries 1
			lb_retry_match {
				expression `+"`{rp.status_code} >= 500`"+`
			}
		}`)), harness.Secrets()...)
	for n := range 20 {
		var body bytes.Buffer
		for block := 0; body.Len() < 4<<20; block++ {
			sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", n, block))
			body.Write(sum[:])
		}
		d := harness.CraneOps(body.String())
		before := len(app.All())
		a := g.Send(t, d)
		for _, got := range app.All()[before:] {
			if got.BodyErr == nil && !bytes.Equal(got.Body, d.Body) {
				t.Fatalf("delivery %d: the second upstream received %d bytes that nobody signed", n, len(got.Body))
			}
		}
		if a.Status == http.StatusOK && app.CountBody(d.Body) != 1 {
			t.Fatalf("delivery %d was answered %d and arrived %d times", n, a.Status, app.CountBody(d.Body))
		}
	}
	if len(app.All()) == 0 {
		t.Error("nothing reached the second upstream")
	}
}

// TestFastCGIRetry: with a buffer for the largest body, which it needs for
// retries, FastCGI sends the whole body to a second upstream.
func TestFastCGIRetry(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	whole := 0
	serve := func(handle http.HandlerFunc) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		go func() { _ = fcgi.Serve(listener, handle) }()
		return listener.Addr().String()
	}
	body := strings.Repeat("signed", 50<<10)
	busy := serve(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	ready := serve(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil && string(got) == body:
			whole++
		case err == nil:
			t.Errorf("an application received %d of %d bytes", len(got), len(body))
		}
	})
	g := harness.Start(t, harness.OpenSite(harness.Route("/craneops", harness.Verify("craneops", "CRANEOPS_SECRET"),
		"root * /srv",
		`reverse_proxy `+busy+` `+ready+` {
			lb_policy round_robin
			lb_retries 1
			lb_retry_match {
				expression `+"`{rp.status_code} >= 500`"+`
			}
			transport fastcgi
			request_buffers 6MiB
		}`)), harness.Secrets()...)
	accepted := 0
	for range 6 {
		switch a := g.Send(t, harness.CraneOps(body)); a.Status {
		case http.StatusOK:
			accepted++
		case http.StatusBadGateway, http.StatusServiceUnavailable:
		default:
			t.Errorf("answered %d", a.Status)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if whole != 1 || accepted == 0 {
		t.Errorf("arrived whole %d times, answered 200 %d times", whole, accepted)
	}
}

// TestRequestBuffers: before reverse_proxy chooses an upstream, it reads as
// much of the body as request_buffers says, and sends it before the rest.
func TestRequestBuffers(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	const size = 16 << 10
	var body bytes.Buffer
	for block := 0; body.Len() < size; block++ {
		sum := sha256.Sum256(fmt.Append(nil, block))
		body.Write(sum[:])
	}
	var routes []string
	paths := map[string]string{"less": "4KiB", "as-much": "16KiB", "more": "64KiB"}
	for name, buffers := range paths {
		routes = append(routes, harness.Route("/"+name, harness.Verify("craneops", "CRANEOPS_SECRET", "provider "+name),
			"reverse_proxy "+app.Addr+" {\nrequest_buffers "+buffers+"\n}"))
	}
	g := harness.Start(t, harness.OpenSite(routes...), harness.Secrets()...)
	for name := range paths {
		d := harness.CraneOps(body.String())
		d.Path = "/" + name
		g.Send(t, d).Accepted(t)
		g.Send(t, d).Duplicate(t)
		if got := app.With(d.Path); len(got) != 1 || !bytes.Equal(got[0].Body, d.Body) {
			t.Errorf("%s: it arrived %d times, or not as it was signed", name, len(got))
		}
	}
}

// TestAnswerWithinHoldsForRetries: a proxy that retries upstreams stops when
// answer_within is over.
func TestAnswerWithinHoldsForRetries(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	app.Answers(func(http.ResponseWriter, *http.Request) { <-release })
	g := harness.Start(t, harness.OpenSite(harness.Route("/craneops",
		harness.Verify("craneops", "CRANEOPS_SECRET", "answer_within 2s"),
		`reverse_proxy `+app.Addr+` {
			lb_try_duration 1h
			lb_retry_match {
				method POST
			}
		}`)), harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{}`)).Is(t, http.StatusServiceUnavailable, "accepted", "no_answer")
	app.AwaitArrivals(t, 1)
	if n := app.Arrivals(); n != 1 {
		t.Errorf("the application was asked %d times", n)
	}
}

// TestReloadDuringABody: a delivery whose body is still arriving when the
// configuration changes ends with the one that it began with.
func TestReloadDuringABody(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	site := harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "body_timeout 1h"))
	g := harness.Start(t, site, harness.Secrets()...)
	d := harness.CraneOps(strings.Repeat("x", 200<<10))
	w := g.Dial(t)
	w.Write(t, d.Head(d.Length())+"\r\n", string(d.Body[:100<<10]))
	g.MustReload(t, changed(site, "once"))
	g.MustReload(t, changed(site, "twice"))
	w.Write(t, string(d.Body[100<<10:]))
	w.MustRead(t).Accepted(t)
	g.SendAfterReload(t, d).Duplicate(t)
	app.Saw(t, 1)
}
