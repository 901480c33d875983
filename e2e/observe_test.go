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

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// observingGateway starts a gateway with observe and sign_upstream.
func observingGateway(t *testing.T) (*harness.Gateway, *harness.Application) {
	t.Helper()
	app := harness.NewApplication(t)
	app.Answers(harness.Status(http.StatusAccepted))
	options := []string{"observe", "emit webhook cloudevents", signUpstream, "max_body 64KiB", "body_timeout 200ms"}
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/craneops", "craneops", app.Addr, options...),
		harness.Hook("/cryptr", "cryptr", app.Addr, options...),
		harness.Hook("/down", "craneops", app.Addr, append(options, "provider down", "replay redis redis://127.0.0.1:1")...),
	), signingSecrets()...)
	return g, app
}

// observed asserts that the request carries the verdict that it would have had,
// and no header that claims that it was verified.
func observed(t *testing.T, r harness.Received, provider, reason string) {
	t.Helper()
	genuine(t, r)
	want := map[string]string{"Webhook-Verdict": "rejected; reason=" + reason, "Webhook-Provider": provider}
	got := map[string]string{}
	for name, values := range r.Header {
		if strings.HasPrefix(name, "Webhook-") || strings.HasPrefix(name, "Ce-") {
			got[name] = strings.Join(values, "|")
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("the application received %v, not %v", got, want)
	}
}

// TestObserve: every request reaches the application byte for byte, whatever
// the sender adds, and the sender gets the application's answer.
func TestObserve(t *testing.T) {
	t.Parallel()
	g, app := observingGateway(t)
	large := harness.CraneOps(strings.Repeat("0123456789abcdef", 8<<20/16))
	for i, c := range []struct {
		d      harness.Delivery
		reason string
	}{
		{harness.CraneOps(`{"n":1}`).Without("X-CraneOps-Signature"), "missing_signature"},
		{harness.CraneOps(`{"n":2}`).With("X-CraneOps-Signature", "no hex"), "malformed_signature"},
		{harness.CraneOps(`{"n":3}`).Saying([]byte(`{"n":4}`)), "signature_mismatch"},
		{harness.CraneOps(`{"n":5}`).By(http.MethodPut), "method_not_allowed"},
		{harness.Cryptr(`{"n":6}`, time.Now().Add(-time.Hour)), "stale"},
		{harness.Cryptr(`{"n":7}`, time.Now().Add(time.Hour)), "future"},
		{harness.CraneOps(`{"n":8}`).To("/down"), "store_unavailable"},
		{large, "body_too_large"},
	} {
		provider := strings.TrimPrefix(c.d.Path, "/")
		for _, f := range forgeryWays() {
			t.Run(c.reason+"/"+f.name, func(t *testing.T) {
				d := c.d.To(c.d.Path+"?case="+string(rune('a'+i))+"-"+strings.ReplaceAll(f.name, " ", "-")).
					Plus("CE-Id", marker).Plus("ce-type", marker)
				if d.Method != http.MethodPost && strings.Contains(f.name, "upgrade") {
					t.Skip("an upgrade is not asked for with this method")
				}
				w := g.Dial(t)
				go func() { _, _ = w.Conn.Write([]byte(f.text(d))) }()
				if a := w.MustRead(t); a.Status != http.StatusAccepted || a.Verdict() != "rejected" || a.Reason() != c.reason {
					t.Errorf("answered %d %q %q", a.Status, a.Verdict(), a.Reason())
				}
				got := app.With(d.Path)
				if len(got) != 1 {
					t.Fatalf("the application received it %d times", len(got))
				}
				if !bytes.Equal(got[0].Body, d.Body) || got[0].BodyErr != nil || got[0].Method != d.Method {
					t.Errorf("the application received %s, %d bytes %.40q, %v", got[0].Method, len(got[0].Body), got[0].Body, got[0].BodyErr)
				}
				observed(t, got[0], provider, c.reason)
			})
		}
	}
}

// TestObserveHistory: a delivery that would be a duplicate has this verdict,
// whatever was let through before.
func TestObserveHistory(t *testing.T) {
	t.Parallel()
	g, app := observingGateway(t)
	d := harness.CraneOps(`{"event":"e"}`)
	for _, want := range []string{"accepted", "duplicate"} {
		if a := g.Send(t, d); a.Status != http.StatusAccepted || a.Verdict() != want {
			t.Errorf("answered %d %q, not %q", a.Status, a.Verdict(), want)
		}
	}
	if a := g.Send(t, d.With("X-CraneOps-Event", "another")); a.Status != http.StatusAccepted || a.Reason() != "conflict" {
		t.Errorf("answered %d %q", a.Status, a.Reason())
	}
	got := app.All()
	if len(got) != 3 {
		t.Fatalf("%d requests", len(got))
	}
	for _, name := range []string{"Webhook-Id", "Webhook-Event", "Webhook-Unsigned-Event", "Ce-Id", "Ce-Type"} {
		if first, second := got[0].Header.Get(name), got[1].Header.Get(name); first == "" || first != second {
			t.Errorf("%s is %q, and of the duplicate %q", name, first, second)
		}
	}
	if got[0].Header.Get("Webhook-Verdict") != "accepted" || got[0].Header.Get("Webhook-Signature") == "" {
		t.Errorf("headers %v", got[0].Header)
	}
	if got[1].Header.Get("Webhook-Verdict") != "duplicate" || got[1].Header.Get("Webhook-Signature") != "" || got[1].Header.Get("Webhook-Timestamp") != "" {
		t.Errorf("headers of the duplicate %v", got[1].Header)
	}
	observed(t, got[2], "craneops", "conflict")

	g.Log.Await(t, "the weaker choice", func(e harness.Entry) bool {
		choices, _ := e["choices"].([]any)
		return e.Text("provider") == "craneops" && slices.Contains(choices, any("observe"))
	})
	g.Log.Await(t, "the conflict, not enforced,", func(e harness.Entry) bool {
		return e.Text("msg") == "handled request" && e.Text("webhook_reason") == "conflict" && e["webhook_observed"] == true
	})
	m := harness.MetricsOf(t, g.Admin)
	if m.Requests("craneops", "observed_duplicate", "duplicate") != 1 || m.Requests("craneops", "observed_rejected", "conflict") != 1 || m.Requests("craneops", "accepted", "") != 1 {
		t.Errorf("metrics %v", m)
	}
}

// TestObserveSlowBody: after body_timeout the application gets the part of the
// body that has arrived, and the rest as it arrives.
func TestObserveSlowBody(t *testing.T) {
	t.Parallel()
	g, app := observingGateway(t)
	d := harness.CraneOps(`{"slow":"0123456789"}`)
	for n, text := range []string{d.Whole(), d.Chunked(nil)} {
		w := g.Dial(t)
		half := len(text) - 15
		w.Write(t, text[:half])
		app.AwaitArrivals(t, n+1) // its headers were passed on without the body
		w.Write(t, text[half:])
		if a := w.MustRead(t); a.Status != http.StatusAccepted || a.Reason() != "body_timeout" {
			t.Errorf("answered %d %q", a.Status, a.Reason())
		}
		got := app.AwaitBodies(t, n+1)
		if !bytes.Equal(got.Body, d.Body) || got.BodyErr != nil {
			t.Errorf("the application received %q, %v", got.Body, got.BodyErr)
		}
		observed(t, got, "craneops", "body_timeout")
	}
}

// TestObserveBrokenBody: if the sender disconnects, the application gets the
// part that arrived, and an error.
func TestObserveBrokenBody(t *testing.T) {
	t.Parallel()
	g, app := observingGateway(t)
	d := harness.CraneOps(`{"broken":"0123456789"}`)
	for n, text := range []string{d.Whole(), d.Chunked(nil)} {
		w := g.Dial(t)
		w.Write(t, text[:len(text)-15])
		if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		got := app.AwaitBodies(t, n+1)
		if got.BodyErr == nil || len(got.Body) == 0 || !bytes.HasPrefix(d.Body, got.Body) {
			t.Errorf("the application received %q, %v", got.Body, got.BodyErr)
		}
		observed(t, got, "craneops", "body_incomplete")
	}
}

// TestObserveHTTP2: the same over HTTP/2, where bodies are streams of frames.
func TestObserveHTTP2(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "observe", "max_body 64KiB")), append(harness.Secrets(), "E2E_PROTOCOLS=h1 h2c")...)
	for n, c := range []struct {
		d      harness.Delivery
		reason string
	}{
		{harness.CraneOps(strings.Repeat("0123456789abcdef", 1<<20/16)), "body_too_large"},
		{harness.CraneOps(`{}`).Saying([]byte(`{ }`)), "signature_mismatch"},
	} {
		a, err := harness.SendH2C(t, g, c.d)
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != http.StatusOK || a.Reason() != c.reason {
			t.Errorf("answered %d %q, not %q", a.Status, a.Reason(), c.reason)
		}
		got := app.AwaitBodies(t, n+1)
		if !bytes.Equal(got.Body, c.d.Body) || got.BodyErr != nil {
			t.Errorf("the application received %d bytes, %v", len(got.Body), got.BodyErr)
		}
		observed(t, got, "craneops", c.reason)
	}
}
