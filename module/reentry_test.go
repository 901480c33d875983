package module

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module/inbox"
)

// storedHook returns a request in the form in which a handler stores it.
func storedHook() inbox.Request {
	return inbox.Request{
		Method: http.MethodPost, URI: "/hook?token=1", Host: "hooks.example.com:8443", Proto: "HTTP/2.0",
		Header: http.Header{"X-Own": {"a", "b"}}, RemoteAddr: "192.0.2.7:1234",
		LocalNetwork: "tcp", LocalAddr: "198.51.100.1:8443",
		TLS: &inbox.TLS{Version: tls.VersionTLS13, ServerName: "hooks.example.com", Protocol: "h2"},
	}
}

// enter sends a stored request through the routes again. At its handler it is
// answered with 202 and goes no further.
func (g *gateway) enter(t *testing.T, stored inbox.Request, arrive func(r *http.Request)) error {
	t.Helper()
	return g.app.enter(t.Context(), &reentry{
		label: g.handler.Provider, scheme: g.handler.Scheme, stored: stored, body: []byte(body),
		arrive: func(h *Handler, w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
			if h != g.handler {
				t.Error("another handler has it")
			}
			arrive(r)
			w.WriteHeader(http.StatusAccepted)
			return nil
		},
	})
}

// TestStoredRequestIsWhatItWas checks that handlers and placeholders see a
// stored request as it was.
func TestStoredRequestIsWhatItWas(t *testing.T) {
	g := newGateway(t, map[string]any{"before": []any{
		map[string]any{"handler": "rewrite", "uri": "/rewritten"},
		map[string]any{"handler": "headers", "request": map[string]any{"set": map[string][]string{
			"X-Early-Body": {"{http.request.body}"},
		}}},
	}}, nil)
	arrived := 0
	err := g.enter(t, storedHook(), func(r *http.Request) {
		arrived++
		repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		for placeholder, want := range map[string]string{
			"http.request.local":           "198.51.100.1:8443",
			"http.request.local.port":      "8443",
			"http.request.remote.host":     "192.0.2.7",
			"http.request.orig_uri":        "/hook?token=1",
			"http.request.uri":             "/rewritten?token=1",
			"http.request.host":            "hooks.example.com",
			"http.request.proto":           "HTTP/2.0",
			"http.request.scheme":          "https",
			"http.request.tls.version":     "tls1.3",
			"http.request.tls.server_name": "hooks.example.com",
			"http.request.tls.proto":       "h2",
			"http.vars.client_ip":          "192.0.2.7",
		} {
			if got, _ := repl.GetString(placeholder); got != want {
				t.Errorf("{%s} is %q, want %q", placeholder, got, want)
			}
		}
		if got := r.Header["X-Own"]; !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("header %q", got)
		}
		if got := r.Header.Get("X-Early-Body"); got != body {
			t.Errorf("a handler before read %q", got)
		}
	})
	if err != nil || arrived != 1 {
		t.Errorf("%v, arrived %d times", err, arrived)
	}
	g.expectDelivered(t)
	if n := reentries.Load(); n != 0 {
		t.Errorf("%d are under way", n)
	}
}

// TestStoredRequestEndsAtOtherLabels checks that a request ends at a handler of
// another label: that handler has never verified it, and the handlers after it
// trust that every request is verified.
func TestStoredRequestEndsAtOtherLabels(t *testing.T) {
	for name, other := range map[string]map[string]any{
		"label":  {"handler": "verify_webhook", "scheme": "craneops", "secrets": []string{testSecret}, "provider": "other"},
		"scheme": {"handler": "verify_webhook", "scheme": "cryptr", "secrets": []string{testSecret}, "provider": "other"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, map[string]any{"before": []any{other}}, nil)
			err := g.enter(t, storedHook(), func(*http.Request) { t.Error("it arrived") })
			if !errors.Is(err, errNotReached) || !errors.Is(err, errAstray) {
				t.Error(err)
			}
			g.expectDelivered(t)
		})
	}
}

// TestStoredRequestIsSpent checks that once a stored request has arrived, later
// handlers verify it as usual.
func TestStoredRequestIsSpent(t *testing.T) {
	g := newGateway(t, nil, nil)
	var after error
	err := g.app.enter(t.Context(), &reentry{
		label: g.handler.Provider, scheme: g.handler.Scheme, stored: storedHook(),
		arrive: func(h *Handler, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
			after = h.ServeHTTP(w, r, next) // as a second one of the label
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if status := (caddyhttp.HandlerError{}); !errors.As(after, &status) || status.StatusCode != http.StatusUnauthorized {
		t.Errorf("behind the handler that it arrived at: %v", after)
	}
	g.expectDelivered(t)
}

// TestStoredRequestThatDoesNotArrive checks that it is no delivery, whatever
// the answer was.
func TestStoredRequestThatDoesNotArrive(t *testing.T) {
	for _, c := range []struct {
		name   string
		before map[string]any
		want   error
	}{
		{"answered 200 before", map[string]any{"handler": "static_response", "status_code": 200}, errNotReached},
		{"an error before", map[string]any{"handler": "error", "status_code": 502}, errNotReached},
		{"a panic before", map[string]any{"handler": "verify_webhook_test_application", "name": "panics"}, errPanickedBy},
	} {
		t.Run(c.name, func(t *testing.T) {
			applications.Store("panics", func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { panic("canary") })
			g := newGateway(t, map[string]any{"before": []any{c.before}}, nil)
			err := g.enter(t, storedHook(), func(*http.Request) { t.Error("it arrived") })
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			g.expectDelivered(t)
		})
	}
	t.Run("no handler of the scheme", func(t *testing.T) {
		g := newGateway(t, nil, nil)
		err := g.app.enter(t.Context(), &reentry{label: g.handler.Provider, scheme: "cryptr", stored: storedHook()})
		if !errors.Is(err, errNoHandler) {
			t.Error(err)
		}
	})
}

// TestErrorRouteIsNoArrival checks that a stored request does not arrive at a
// handler of its label in an error route. That handler verifies the request
// instead.
func TestErrorRouteIsNoArrival(t *testing.T) {
	g := newGateway(t, map[string]any{"before": []any{map[string]any{"handler": "error", "status_code": 502}}}, nil)
	ctx := context.WithValue(t.Context(), reentryKey{}, &reentry{label: g.handler.Provider, scheme: g.handler.Scheme})
	reentries.Add(1)
	defer reentries.Add(-1)
	r := httptest.NewRequest(http.MethodPost, "/", nil).WithContext(ctx)
	if reentryOf(r) == nil {
		t.Error("it is not found at all")
	}
	r = r.WithContext(context.WithValue(ctx, caddyhttp.ErrorCtxKey, errors.New("502")))
	if reentryOf(r) != nil {
		t.Error("it arrives in an error route")
	}
}

// TestNothingFromOutsideIsStored checks that a request that claims to be a
// stored one is verified.
func TestNothingFromOutsideIsStored(t *testing.T) {
	g := newGateway(t, nil, nil)
	reentries.Add(1) // so that the context is checked
	defer reentries.Add(-1)
	forged := g.send(t, with(craneops("other"), "Webhook-Attempt", "2", "Reentry", "1", "Webhook-Verdict", "accepted"), body)
	expect(t, forged, http.StatusUnauthorized, "rejected signature_mismatch")
	g.expectDelivered(t)
}

// TestRequestIsTakenDownAsItWas checks that a request that handlers have
// rewritten is stored, and recreated, as it was sent.
func TestRequestIsTakenDownAsItWas(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	certificate := server.Certificate()
	sent := httptest.NewRequest(http.MethodPost, "https://hooks.example.com//a/../b?c=%20d", nil)
	sent.TLS = &tls.ConnectionState{Version: tls.VersionTLS12, ServerName: "hooks.example.com", PeerCertificates: []*x509.Certificate{certificate}}
	sent.RequestURI = "//a/../b?c=%20d"
	original := *sent
	ctx := context.WithValue(t.Context(), caddyhttp.OriginalRequestCtxKey, original)
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, server.Listener.Addr())
	seen := sent.Clone(ctx)
	seen.Method, seen.RequestURI, seen.RemoteAddr = http.MethodGet, "/rewritten", "10.0.0.1:1"
	seen.Header = http.Header{"X-Own": {"1"}}

	stored := storedRequest(seen)
	seen.Header.Set("X-Own", "changed later")
	e := &reentry{stored: stored, body: []byte("abc")}
	again, err := e.request(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if again.Method != sent.Method || again.RequestURI != sent.RequestURI || again.RemoteAddr != sent.RemoteAddr || again.Host != "hooks.example.com" {
		t.Errorf("%s %s from %s to %s", again.Method, again.RequestURI, again.RemoteAddr, again.Host)
	}
	if again.URL.Path != "//a/../b" || again.URL.Host != "" || again.URL.RawQuery != "c=%20d" {
		t.Errorf("URL %+v", again.URL)
	}
	if !maps.EqualFunc(again.Header, http.Header{"X-Own": {"1"}, "Content-Length": {"3"}}, slices.Equal) || again.ContentLength != 3 {
		t.Errorf("header %v, length %d", again.Header, again.ContentLength)
	}
	if s := again.TLS; s.Version != tls.VersionTLS12 || !s.HandshakeComplete || !s.PeerCertificates[0].Equal(certificate) {
		t.Errorf("TLS %+v", s)
	}
	if got := again.Context().Value(http.LocalAddrContextKey).(interface{ String() string }).String(); got != server.Listener.Addr().String() {
		t.Errorf("local address %s", got)
	}
}

// TestEarlyBodyIsACopy checks that a late reader does not get another
// delivery's memory.
func TestEarlyBodyIsACopy(t *testing.T) {
	memory := []byte("abcdef")
	read, late := &earlyBody{body: memory}, &earlyBody{body: memory}
	first := make([]byte, 2)
	if _, err := io.ReadFull(read, first); err != nil {
		t.Fatal(err)
	}
	copy(memory, "XXXXXX")
	read.end()
	late.end()
	if rest, err := io.ReadAll(read); string(first)+string(rest) != "abcdef" || err != nil {
		t.Errorf("read %q %q, %v", first, rest, err)
	}
	if got, err := io.ReadAll(late); len(got) > 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("late: %q, %v", got, err)
	}
}

// TestLongAnswerEnds checks that a long answer is cut off, because an attempt
// occupies a place.
func TestLongAnswerEnds(t *testing.T) {
	d := &discarded{header: http.Header{}}
	n, err := io.Copy(d, io.LimitReader(endless{}, mostDiscarded))
	if n != mostDiscarded || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := d.Write([]byte("x")); !errors.Is(err, errEnoughRead) {
		t.Error(err)
	}
	rc := http.NewResponseController(d)
	if err := errors.Join(rc.SetReadDeadline(time.Time{}), rc.SetWriteDeadline(time.Time{}), rc.EnableFullDuplex(), rc.Flush()); err != nil {
		t.Error(err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
