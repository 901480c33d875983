package module

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// observing adds observe to other options.
func observing(options map[string]any) map[string]any {
	all := map[string]any{"observe": true}
	maps.Copy(all, options)
	return all
}

// expectObserved checks the headers of the last delivery at the application:
// they have the verdict and the label, and nothing that looks verified.
func (g *gateway) expectObserved(t *testing.T, reason string) {
	t.Helper()
	got := g.delivered()
	if len(got) == 0 {
		t.Fatal("nothing reached the application")
	}
	want := map[string]string{"Webhook-Verdict": "rejected; reason=" + reason, "Webhook-Provider": g.handler.Provider}
	if found := beginning(got[len(got)-1].header, "Webhook-"); !maps.Equal(found, want) {
		t.Errorf("%v, want %v", found, want)
	}
	if metrics := g.metrics(t); metrics[`requests_total{reason="`+reason+`",verdict="observed_rejected"}`] == 0 || metrics[`requests_total{reason="`+reason+`",verdict="rejected"}`] != 0 {
		t.Errorf("metrics %v", metrics)
	}
	if g.logs.FilterMessage("delivery would be rejected, and was passed on: "+reason).FilterField(zap.String("reason", reason)).Len() == 0 {
		t.Errorf("log %v", g.logs.All())
	}
}

func forging(h http.Header) http.Header {
	return with(h, "Webhook-Verdict", "accepted", "Webhook-Id", "forged", "Webhook-Signature", "v1,forged", "Webhook-Timestamp", "1", "Ce-Id", "forged", "Webhook-Event", "forged")
}

func TestObservedVerdicts(t *testing.T) {
	fresh := cryptr(testTime, body)
	for _, c := range []struct {
		name    string
		options map[string]any
		header  http.Header
		body    string
		reason  string
	}{
		{"no signature", nil, http.Header{}, body, "missing_signature"},
		{"malformed", nil, http.Header{"Cryptr-Signature": {"v1=1"}}, body, "malformed_signature"},
		{"forged", nil, cryptr(testTime, "other"), body, "signature_mismatch"},
		{"stale", nil, cryptr(testTime.Add(-time.Hour), body), body, "stale"},
		{"future", nil, cryptr(testTime.Add(time.Hour), body), body, "future"},
		{"method", map[string]any{"methods": []string{"PUT"}}, fresh, body, "method_not_allowed"},
		{"too large", map[string]any{"max_body": 10}, fresh, body, "body_too_large"},
		{"store", map[string]any{"replay": map[string]any{"store": "test_broken", "Reserving": true}}, fresh, body, "store_unavailable"},
		{"opening the store", map[string]any{"replay": map[string]any{"store": "test_broken", "Opening": true}}, fresh, body, "store_unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.options = observing(c.options)
			c.options["scheme"], c.options["sign_upstream"], c.options["emit"] = "cryptr", []string{goodSigningKey}, []string{"webhook", "cloudevents"}
			g := newGateway(t, c.options, nil)
			for _, chunked := range []bool{false, true} {
				var from io.Reader = strings.NewReader(c.body)
				if chunked {
					from = readCloser{from}
				}
				a := g.sendRequest(t, g.request(t, forging(c.header), from))
				expect(t, a, http.StatusNoContent, "")
				if a.header.Get("Allow") != "" || a.header.Get("Retry-After") != "" {
					t.Errorf("headers %v", a.header)
				}
				g.expectObserved(t, c.reason)
				got := g.delivered()
				if last := got[len(got)-1]; last.body != c.body || len(beginning(last.header, "Ce-")) > 0 {
					t.Errorf("the application received %q, %v", last.body, last.header)
				}
			}
		})
	}
}

// TestObservedHistory checks that the history is used as without observe, so
// that the verdicts are right.
func TestObservedHistory(t *testing.T) {
	fail := true
	g := newGateway(t, observing(map[string]any{"sign_upstream": []string{goodSigningKey}, "emit": []string{"webhook", "cloudevents"}}), func(w http.ResponseWriter, _ *http.Request) error {
		if fail {
			w.WriteHeader(http.StatusTeapot)
		} else {
			w.WriteHeader(http.StatusCreated)
		}
		return nil
	})
	last := func() http.Header {
		got := g.delivered()
		return got[len(got)-1].header
	}
	expect(t, g.send(t, craneops(body), body), http.StatusTeapot, "")
	fail = false
	expect(t, g.send(t, craneops(body), body), http.StatusCreated, "")
	if h := last(); h.Get("Webhook-Verdict") != "accepted" || h.Get("Webhook-Signature") == "" {
		t.Errorf("headers %v", h)
	}
	first := last()

	expect(t, g.send(t, forging(craneops(body)), body), http.StatusCreated, "")
	h := last()
	if h.Get("Webhook-Verdict") != "duplicate" || h.Get("Webhook-Id") != first.Get("Webhook-Id") || h.Get("Webhook-Event") != "booking.created" || h.Get("Ce-Id") != first.Get("Ce-Id") {
		t.Errorf("headers %v", h)
	}
	if h.Get("Webhook-Signature") != "" || h.Get("Webhook-Timestamp") != "" {
		t.Errorf("a duplicate is signed: %v", h)
	}
	g.send(t, with(craneops(body), "X-Craneops-Event", "another"), body)
	g.expectObserved(t, "conflict")
	g.expectDelivered(t, body, body, body, body)

	metrics := g.metrics(t)
	for name, want := range map[string]float64{
		`requests_total{reason="",verdict="accepted"}`:                    2,
		`requests_total{reason="duplicate",verdict="observed_duplicate"}`: 1,
		`requests_total{reason="conflict",verdict="observed_rejected"}`:   1,
		`replay_entries{store="memory"}`:                                  1,
	} {
		if metrics[name] != want {
			t.Errorf("%s is %v, want %v", name, metrics[name], want)
		}
	}
}

// TestObservedInFlight sends an event again while the application is still
// handling it.
func TestObservedInFlight(t *testing.T) {
	var g *gateway
	inner := false
	g = newGateway(t, observing(nil), func(w http.ResponseWriter, r *http.Request) error {
		if !inner {
			inner = true
			expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	g.expectObserved(t, "in_flight")
}

// TestObservedBodyThatIsTooSlow checks that judging stops, and that the
// application gets the first part of the body and the rest when it arrives.
func TestObservedBodyThatIsTooSlow(t *testing.T) {
	for name, length := range map[string]int64{"declared": int64(len(body)), "chunked": -1} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, observing(map[string]any{"body_timeout": "20ms"}), nil)
			from, to := io.Pipe()
			r := g.request(t, craneops(body), from)
			r.ContentLength = length
			go func() {
				_, _ = io.WriteString(to, body[:10])
				waitUntil(t, func() bool { return g.logs.FilterMessageSnippet("body_timeout").Len() > 0 })
				_, _ = io.WriteString(to, body[10:])
				_ = to.Close()
			}()
			expect(t, g.sendRequest(t, r), http.StatusNoContent, "")
			g.expectObserved(t, "body_timeout")
			if got := g.delivered()[0]; got.body != body || got.length != length {
				t.Errorf("%d bytes declared, %q", got.length, got.body)
			}
		})
	}
}

// TestObservedOverload checks that bodies are passed on with and without room
// for them, and that no memory stays in use.
func TestObservedOverload(t *testing.T) {
	app, arrived, release := holding()
	g := newGateway(t, observing(map[string]any{"max_buffered": 512 << 10, "max_body": 448 << 10}), app)
	first, second := strings.Repeat("a", 300<<10), strings.Repeat("b", 200<<10)
	answers := make(chan answerOf, 2)
	for _, text := range []string{first, second} {
		go func() { answers <- g.send(t, craneops(text), text) }()
		<-arrived
	}
	release()
	for range 2 {
		expect(t, <-answers, http.StatusNoContent, "")
	}
	g.expectObserved(t, "overloaded")
	g.expectDelivered(t, first, second)
	expectNothingBuffered(t)
}

// TestObservedErrorOfTheStream checks that an error of the body reaches the
// application after the bytes before it, and that the body limit of an earlier
// handler still applies.
func TestObservedErrorOfTheStream(t *testing.T) {
	for reason, failure := range map[string]error{
		"body_incomplete": io.ErrUnexpectedEOF,
		"body_too_large":  &http.MaxBytesError{Limit: 5},
	} {
		t.Run(reason, func(t *testing.T) {
			g := newGateway(t, observing(nil), nil)
			r := requestOf(g.request(t, craneops(body), io.NopCloser(io.MultiReader(strings.NewReader(body[:5]), iotest.ErrReader(failure)))))
			asked := false
			_ = g.handler.ServeHTTP(&nothing{http.Header{}}, r, caddyhttp.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) error {
				asked = true
				got, err := io.ReadAll(r.Body)
				if string(got) != body[:5] || !errors.Is(err, failure) {
					t.Errorf("%q %v", got, err)
				}
				if verdict := r.Header.Get("Webhook-Verdict"); verdict != "rejected; reason="+reason {
					t.Errorf("verdict %q", verdict)
				}
				return nil
			}))
			if !asked {
				t.Error("it did not reach the application")
			}
			expectNothingBuffered(t)
		})
	}
}

// TestObservedPanic checks that a panic of the application is passed on
// unchanged.
func TestObservedPanic(t *testing.T) {
	g := newGateway(t, observing(nil), nil)
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // it is what was panicked with
			t.Errorf("panic %v", p)
		}
	}()
	r := requestOf(g.request(t, http.Header{}, strings.NewReader(body)))
	_ = g.handler.ServeHTTP(&nothing{http.Header{}}, r, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }))
}

// TestObserveIsNamed checks that observe is visible to the operator: in the log
// at startup, and with every verdict that was not enforced.
func TestObserveIsNamed(t *testing.T) {
	g := newGateway(t, observing(nil), nil)
	if weaker := g.handler.weakerChoices(); len(weaker) != 1 || weaker[0] != "observe" {
		t.Errorf("weaker choices %v", weaker)
	}
	d := &delivery{handler: g.handler, verdict: rejected, reason: conflict}
	if d.eventData()["observed"] != true {
		t.Errorf("event %v", d.eventData())
	}
	d.verdict = accepted
	if _, told := d.eventData()["observed"]; told {
		t.Errorf("event %v", d.eventData())
	}
}

// TestObservedStandardWebhooks checks headers that a provider signs and that
// are named like this handler's own. They are passed on if they are verified,
// and never with a rejection.
func TestObservedStandardWebhooks(t *testing.T) {
	for name, c := range map[string]struct {
		signUpstream []string
		stays        bool // the provider's signature, with a duplicate
	}{"alone": {nil, true}, "signed anew": {[]string{goodSigningKey}, false}} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, observing(map[string]any{"scheme": "standard", "secrets": []string{standardSecret}, "sign_upstream": c.signUpstream}), nil)
			signed := standard("Webhook", "msg_1", testTime, body)
			for range 2 {
				expect(t, g.send(t, signed, body), http.StatusNoContent, "")
			}
			first, again := g.delivered()[0].header, g.delivered()[1].header
			if got := first.Get("Webhook-Signature"); (got == signed.Get("Webhook-Signature")) != c.stays || got == "" {
				t.Errorf("signature %q", got)
			}
			if again.Get("Webhook-Verdict") != "duplicate" || again.Get("Webhook-Id") != "msg_1" || (again.Get("Webhook-Signature") != "") != c.stays {
				t.Errorf("headers %v", again)
			}
			for reason, header := range map[string]http.Header{
				"signature_mismatch": with(signed, "Webhook-Id", "msg_2"),
				"stale":              standard("Webhook", "msg_3", testTime.Add(-time.Hour), body),
				"missing_signature":  {"Webhook-Id": {"msg_4"}},
			} {
				expect(t, g.send(t, header, body), http.StatusNoContent, "")
				g.expectObserved(t, reason)
			}
		})
	}
}
