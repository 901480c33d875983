package e2e

import (
	"bytes"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// observingGateway lets everything through, and would sign it.
func observingGateway(t *testing.T) (*gateway, *application) {
	t.Helper()
	app := newApplication(t)
	app.answers(status(http.StatusAccepted))
	options := []string{"observe", "emit webhook cloudevents", signUpstream, "max_body 64KiB", "body_timeout 200ms"}
	g := start(t, openSite(
		hook("/craneops", "craneops", app.addr, options...),
		hook("/cryptr", "cryptr", app.addr, options...),
		hook("/down", "craneops", app.addr, append(options, "provider down", "replay redis redis://127.0.0.1:1")...),
	), signingSecrets()...)
	return g, app
}

// observed asserts that the application was told what would have become of the
// request, and nothing that says it was verified.
func observed(t *testing.T, r received, provider, reason string) {
	t.Helper()
	genuine(t, r)
	want := map[string]string{"Webhook-Verdict": "rejected; reason=" + reason, "Webhook-Provider": provider}
	got := map[string]string{}
	for name, values := range r.header {
		if strings.HasPrefix(name, "Webhook-") || strings.HasPrefix(name, "Ce-") {
			got[name] = strings.Join(values, "|")
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("the application received %v, not %v", got, want)
	}
}

// TestObserve: whatever comes reaches the application byte for byte, whatever
// the sender adds to it, and the sender gets the application's answer.
func TestObserve(t *testing.T) {
	t.Parallel()
	g, app := observingGateway(t)
	large := craneops(strings.Repeat("0123456789abcdef", 8<<20/16))
	for i, c := range []struct {
		d      delivery
		reason string
	}{
		{craneops(`{"n":1}`).without("X-CraneOps-Signature"), "missing_signature"},
		{craneops(`{"n":2}`).with("X-CraneOps-Signature", "no hex"), "malformed_signature"},
		{craneops(`{"n":3}`).saying([]byte(`{"n":4}`)), "signature_mismatch"},
		{craneops(`{"n":5}`).by(http.MethodPut), "method_not_allowed"},
		{cryptr(`{"n":6}`, time.Now().Add(-time.Hour)), "stale"},
		{cryptr(`{"n":7}`, time.Now().Add(time.Hour)), "future"},
		{craneops(`{"n":8}`).to("/down"), "store_unavailable"},
		{large, "body_too_large"},
	} {
		provider := strings.TrimPrefix(c.d.path, "/")
		for _, f := range forgeryWays() {
			t.Run(c.reason+"/"+f.name, func(t *testing.T) {
				d := c.d.to(c.d.path+"?case="+string(rune('a'+i))+"-"+strings.ReplaceAll(f.name, " ", "-")).
					plus("CE-Id", marker).plus("ce-type", marker)
				if d.method != http.MethodPost && strings.Contains(f.name, "upgrade") {
					t.Skip("an upgrade is not asked for with this method")
				}
				w := g.dial(t)
				go func() { _, _ = w.conn.Write([]byte(f.text(d))) }()
				if a := w.mustRead(t); a.status != http.StatusAccepted || a.verdict() != "rejected" || a.reason() != c.reason {
					t.Errorf("answered %d %q %q", a.status, a.verdict(), a.reason())
				}
				got := app.with(d.path)
				if len(got) != 1 {
					t.Fatalf("the application received it %d times", len(got))
				}
				if !bytes.Equal(got[0].body, d.body) || got[0].bodyErr != nil || got[0].method != d.method {
					t.Errorf("the application received %s, %d bytes %.40q, %v", got[0].method, len(got[0].body), got[0].body, got[0].bodyErr)
				}
				observed(t, got[0], provider, c.reason)
			})
		}
	}
}

// TestObserveHistory: what would be a duplicate is said to be one, whatever was
// let through before.
func TestObserveHistory(t *testing.T) {
	t.Parallel()
	g, app := observingGateway(t)
	d := craneops(`{"event":"e"}`)
	for _, want := range []string{"accepted", "duplicate"} {
		if a := g.send(t, d); a.status != http.StatusAccepted || a.verdict() != want {
			t.Errorf("answered %d %q, not %q", a.status, a.verdict(), want)
		}
	}
	if a := g.send(t, d.with("X-CraneOps-Event", "another")); a.status != http.StatusAccepted || a.reason() != "conflict" {
		t.Errorf("answered %d %q", a.status, a.reason())
	}
	got := app.all()
	if len(got) != 3 {
		t.Fatalf("%d requests", len(got))
	}
	for _, name := range []string{"Webhook-Id", "Webhook-Event", "Webhook-Unsigned-Event", "Ce-Id", "Ce-Type"} {
		if first, second := got[0].header.Get(name), got[1].header.Get(name); first == "" || first != second {
			t.Errorf("%s is %q, and of the duplicate %q", name, first, second)
		}
	}
	if got[0].header.Get("Webhook-Verdict") != "accepted" || got[0].header.Get("Webhook-Signature") == "" {
		t.Errorf("headers %v", got[0].header)
	}
	if got[1].header.Get("Webhook-Verdict") != "duplicate" || got[1].header.Get("Webhook-Signature") != "" || got[1].header.Get("Webhook-Timestamp") != "" {
		t.Errorf("headers of the duplicate %v", got[1].header)
	}
	observed(t, got[2], "craneops", "conflict")

	g.log.await(t, "the weaker choice", func(e entry) bool {
		choices, _ := e["choices"].([]any)
		return e.text("provider") == "craneops" && slices.Contains(choices, any("observe"))
	})
	g.log.await(t, "the conflict, not enforced,", func(e entry) bool {
		return e.text("msg") == "handled request" && e.text("webhook_reason") == "conflict" && e["webhook_observed"] == true
	})
	m := metricsOf(t, g.admin)
	if m.requests("craneops", "observed_duplicate", "duplicate") != 1 || m.requests("craneops", "observed_rejected", "conflict") != 1 || m.requests("craneops", "accepted", "") != 1 {
		t.Errorf("metrics %v", m)
	}
}

// TestObserveSlowBody: the application gets what has come by then, and the rest
// as it comes.
func TestObserveSlowBody(t *testing.T) {
	t.Parallel()
	g, app := observingGateway(t)
	d := craneops(`{"slow":"0123456789"}`)
	for n, text := range []string{d.whole(), d.chunked(nil)} {
		w := g.dial(t)
		half := len(text) - 15
		w.write(t, text[:half])
		app.awaitArrivals(t, n+1) // its headers have gone on without the body
		w.write(t, text[half:])
		if a := w.mustRead(t); a.status != http.StatusAccepted || a.reason() != "body_timeout" {
			t.Errorf("answered %d %q", a.status, a.reason())
		}
		got := app.awaitBodies(t, n+1)
		if !bytes.Equal(got.body, d.body) || got.bodyErr != nil {
			t.Errorf("the application received %q, %v", got.body, got.bodyErr)
		}
		observed(t, got, "craneops", "body_timeout")
	}
}

// TestObserveBrokenBody: the application sees that the sender has gone, and what
// came before.
func TestObserveBrokenBody(t *testing.T) {
	t.Parallel()
	g, app := observingGateway(t)
	d := craneops(`{"broken":"0123456789"}`)
	for n, text := range []string{d.whole(), d.chunked(nil)} {
		w := g.dial(t)
		w.write(t, text[:len(text)-15])
		if err := w.conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got := app.awaitBodies(t, n+1)
		if got.bodyErr == nil || len(got.body) == 0 || !bytes.HasPrefix(d.body, got.body) {
			t.Errorf("the application received %q, %v", got.body, got.bodyErr)
		}
		observed(t, got, "craneops", "body_incomplete")
	}
}

// TestObserveHTTP2: the same over HTTP/2, where bodies are streams of frames.
func TestObserveHTTP2(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(hook("/craneops", "craneops", app.addr, "observe", "max_body 64KiB")), append(secrets(), "E2E_PROTOCOLS=h1 h2c")...)
	for n, c := range []struct {
		d      delivery
		reason string
	}{
		{craneops(strings.Repeat("0123456789abcdef", 1<<20/16)), "body_too_large"},
		{craneops(`{}`).saying([]byte(`{ }`)), "signature_mismatch"},
	} {
		a, err := sendH2C(t, g, c.d)
		if err != nil {
			t.Fatal(err)
		}
		if a.status != http.StatusOK || a.reason() != c.reason {
			t.Errorf("answered %d %q, not %q", a.status, a.reason(), c.reason)
		}
		got := app.awaitBodies(t, n+1)
		if !bytes.Equal(got.body, c.d.body) || got.bodyErr != nil {
			t.Errorf("the application received %d bytes, %v", len(got.body), got.bodyErr)
		}
		observed(t, got, "craneops", c.reason)
	}
}
