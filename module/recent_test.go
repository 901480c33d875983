package module

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/deliveries"
)

// remember gives room to the list of recent deliveries, as the app does when it
// starts.
func (g *gateway) remember(t *testing.T) {
	t.Helper()
	recent.Resize(t, defaultRecent)
	t.Cleanup(func() { recent.Forget(t) })
}

// recent returns the gateway's deliveries in the list, the newest first.
func (g *gateway) recent() []deliveries.Delivery {
	return recent.Select(deliveries.Filter{Provider: g.handler.Provider})
}

// admin sends a request to the admin endpoint.
func (g *gateway) admin(t *testing.T, method, path string) answerOf {
	t.Helper()
	a := &adminAPI{ctx: t.Context(), logger: zap.NewNop()}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, path, nil)
	for _, route := range a.Routes() {
		if r.URL.Path != route.Pattern && (!strings.HasSuffix(route.Pattern, "/") || !strings.HasPrefix(r.URL.Path, route.Pattern)) {
			continue
		}
		if err := route.Handler.ServeHTTP(w, r); err != nil {
			refused := err.(caddy.APIError) //nolint:errorlint // as Caddy asks
			return answerOf{refused.HTTPStatus, refused.Err.Error(), w.Header()}
		}
		return answerOf{w.Code, w.Body.String(), w.Header()}
	}
	t.Fatalf("no route for %s", path)
	return answerOf{}
}

func TestRecent(t *testing.T) {
	status := http.StatusNoContent
	g := newGateway(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(status)
		return nil
	})
	g.remember(t)
	const body = `{"event":"booking.created"}`
	status = http.StatusBadGateway
	g.send(t, craneops(body), body) // is not taken
	status = http.StatusNoContent
	g.send(t, craneops(body), body)
	g.send(t, craneops(body), body)
	g.send(t, craneops(body), "other")
	g.send(t, http.Header{"Stripe-Signature": {"t=1"}}, body)
	g.send(t, http.Header{"Webhook-Signature": {"v1,x"}}, body)

	type row struct {
		verdict, reason, event   string
		status, application, key int
		size                     int64
		hint                     string
	}
	want := []row{
		{"rejected", "missing_signature", "", 401, 0, 0, 0, "this looks like " + strings.Join(signatureHeaders()["Webhook-Signature"], " or ") + ": Webhook-Signature is present"},
		{"rejected", "missing_signature", "", 401, 0, 0, 0, "this looks like stripe: Stripe-Signature is present"},
		{"rejected", "signature_mismatch", "", 401, 0, 0, 5, "none of the secrets produces this signature"},
		{"duplicate", "duplicate", "booking.created", 200, 0, 1, 27, ""},
		{"accepted", "", "booking.created", 204, 204, 1, 27, ""},
		{"accepted", "", "booking.created", 502, 502, 1, 27, ""},
	}
	got := g.recent()
	if len(got) != len(want) {
		t.Fatalf("%d listed, want %d", len(got), len(want))
	}
	for i, d := range got {
		if r := (row{d.Verdict, d.Reason, d.Event, d.Status, d.Application, d.Key, d.Size, d.Hint}); r != want[i] {
			t.Errorf("%d: %v, want %v", i, r, want[i])
		}
		if d.Path != "/hook" || d.Method != "POST" || d.Client != "127.0.0.1" || !d.Time.Equal(testTime.Truncate(time.Millisecond)) || d.Scheme != "craneops" {
			t.Errorf("%d: %+v", i, d)
		}
		if known := d.ID != ""; known != (d.Key > 0) {
			t.Errorf("%d: id %q, key %d", i, d.ID, d.Key)
		}
	}
	hinted := g.logs.FilterField(zap.String("hint", want[1].hint)).Len()
	if hinted != 1 {
		t.Errorf("%d log lines have the hint", hinted)
	}
}

// TestRecentErrors checks that the listed status of an error is the one that
// the sender gets.
func TestRecentErrors(t *testing.T) {
	for name, c := range map[string]struct {
		app    application
		status int
		reason string
	}{
		"a handler's error": {func(http.ResponseWriter, *http.Request) error { return caddyhttp.Error(504, nil) }, 504, "no_answer"},
		"no status":         {func(http.ResponseWriter, *http.Request) error { return http.ErrBodyNotAllowed }, 500, "no_answer"},
		"nothing":           {func(http.ResponseWriter, *http.Request) error { return nil }, 502, "no_answer"},
		"panic":             {func(http.ResponseWriter, *http.Request) error { panic("x") }, 500, "no_answer"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, nil, c.app)
			g.remember(t)
			a := g.send(t, craneops("{}"), "{}")
			got := g.recent()
			if len(got) != 1 || got[0].Status != c.status || got[0].Application != 0 || a.status != c.status || got[0].Reason != c.reason {
				t.Errorf("answered %d, listed %+v", a.status, got)
			}
		})
	}
}

func TestRecentObserved(t *testing.T) {
	g := newGateway(t, map[string]any{"observe": true}, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusTeapot)
		return nil
	})
	g.remember(t)
	g.send(t, nil, "{}")
	got := g.recent()
	if len(got) != 1 || got[0].Status != http.StatusTeapot || !got[0].Observed || got[0].Verdict != "rejected" {
		t.Errorf("listed %+v", got)
	}
}

// TestRecentBeforeTheEnd checks that a delivery is listed when its status is
// known, before its answer is complete.
func TestRecentBeforeTheEnd(t *testing.T) {
	var during []deliveries.Delivery
	var g *gateway
	g = newGateway(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		if len(g.recent()) != 0 {
			t.Error("listed before it was answered")
		}
		w.WriteHeader(http.StatusOK)
		during = g.recent()
		return nil
	})
	g.remember(t)
	g.send(t, craneops("{}"), "{}")
	if len(during) != 1 || len(g.recent()) != 1 {
		t.Errorf("%d listed while the answer is written, %d afterwards", len(during), len(g.recent()))
	}
}

func TestAdminDeliveries(t *testing.T) {
	g := newGateway(t, nil, nil)
	g.remember(t)
	g.send(t, craneops("{}"), "{}")
	g.send(t, nil, "{}")
	var listed []deliveries.Delivery
	filter := "?provider=" + g.handler.Provider
	a := g.admin(t, http.MethodGet, deliveriesPath+filter+"&verdict=accepted")
	if err := json.Unmarshal([]byte(a.body), &listed); err != nil || len(listed) != 1 || listed[0].Verdict != "accepted" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get(headerRecent) != "" {
		t.Errorf("headers %v", a.header)
	}
	one := g.admin(t, http.MethodGet, deliveriesPath+"/"+jsonText(listed[0].Number))
	if one.status != 200 || !strings.Contains(one.body, listed[0].ID) {
		t.Errorf("one: %d %s", one.status, one.body)
	}
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "?unknown=1", 400, ""},
		{"GET", "?limit=-1", 400, ""},
		{"POST", "", 405, "GET, DELETE"},
		{"GET", "/1", 404, ""},
		{"GET", "/x", 404, ""},
		{"POST", "/1", 405, "GET, DELETE"},
		{"POST", "/follow", 405, "GET"},
		{"GET", "/follow?limit=x", 400, ""},
	} {
		got := g.admin(t, c.method, deliveriesPath+c.path)
		if got.status != c.status || got.header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q", c.method, c.path, got.status, got.header.Get("Allow"))
		}
	}
}

func jsonText(value any) string {
	text, _ := json.Marshal(value)
	return string(text)
}
