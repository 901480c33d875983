package inspector

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// gateway answers as the admin endpoint does, and records its requests.
type gateway struct {
	mu         sync.Mutex
	asked      []string
	deliveries []delivery
	inbox      []entry
	off        bool
	follow     http.HandlerFunc
	refuse     int // the status that buttons get, if it is not zero
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	g.asked = append(g.asked, r.Method+" "+r.URL.RequestURI())
	g.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Method != http.MethodGet && g.refuse != 0:
		w.WriteHeader(g.refuse)
		_, _ = io.WriteString(w, `{"error":"being handled"}`)
	case strings.HasSuffix(r.URL.Path, "/deliver"):
		_, _ = io.WriteString(w, `{"status":204,"id":"evt_1"}`)
	case strings.HasPrefix(r.URL.Path, rejudgePath):
		_, _ = io.WriteString(w, `{"judged":3,"delivered":2}`)
	case r.Method != http.MethodGet:
		w.WriteHeader(http.StatusNoContent)
	case r.URL.Path == deliveriesPath:
		g.list(w, r)
	case r.URL.Path == deliveriesPath+"/follow":
		g.follow(w, r)
	case r.URL.Path == inboxPath && g.inbox != nil:
		_ = json.NewEncoder(w).Encode(g.inbox)
	default:
		g.one(w, r)
	}
}

func (g *gateway) list(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("since") == "yesterday" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"since: write a duration"}`)
		return
	}
	if g.off {
		w.Header().Set("Webhook-Recent", "off")
	}
	found := []delivery{}
	for _, d := range g.deliveries {
		if id := r.URL.Query().Get("id"); id == "" || id == d.ID {
			found = append(found, d)
		}
	}
	_ = json.NewEncoder(w).Encode(found)
}

func (g *gateway) one(w http.ResponseWriter, r *http.Request) {
	for _, d := range g.deliveries {
		if strings.HasSuffix(r.URL.Path, "/"+jsonText(d.Number)) {
			_ = json.NewEncoder(w).Encode(d)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"error":"no such delivery"}`)
}

func jsonText(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// page returns the page of a gateway, at noon.
func (g *gateway) page() *Page {
	return &Page{Gateway: g, Name: "localhost:2019", Now: func() time.Time { return noon }}
}

// get requests an address of the page.
func (g *gateway) get(address string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	g.page().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/"+address, nil))
	return w
}

// press presses a button.
func (g *gateway) press(button string, form url.Values, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "http://localhost/any/"+button, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	g.page().ServeHTTP(w, r)
	return w
}

// TestButtons checks that each button makes exactly the request that it names.
func TestButtons(t *testing.T) {
	for _, c := range []struct {
		button string
		form   url.Values
		asked  string
		said   string
	}{
		{"deliver", url.Values{"number": {"7"}}, "POST /verify_webhook/deliveries/7/deliver", "answered 204"},
		{"allow", url.Values{"provider": {"stripe"}, "id": {"evt/1 ?"}}, "DELETE /verify_webhook/history/stripe/evt%2F1%20%3F", "Allowed"},
		{"allow", url.Values{"provider": {"a"}, "id": {"1"}, "tenant": {"acme"}}, "DELETE /verify_webhook/history/a/1?tenant=acme", "Allowed"},
		{"erase", url.Values{"number": {"7"}}, "DELETE /verify_webhook/deliveries/7", "Erased"},
		{"erase", url.Values{"provider": {"stripe"}}, "DELETE /verify_webhook/deliveries?provider=stripe", "Erased"},
		{"rejudge", url.Values{"provider": {"stripe"}, "tenant": {"acme"}}, "POST /verify_webhook/rejudge/stripe?tenant=acme", "Judged 3 deliveries again: 2 delivered"},
		{"retry", url.Values{"provider": {"a"}, "id": {"1"}}, "POST /verify_webhook/inbox/a/1/retry", "tried again"},
		{"retry", url.Values{"provider": {"a"}, "state": {"dead"}}, "POST /verify_webhook/inbox/a/retry?state=dead", "tried again"},
		{"drop", url.Values{"provider": {"a"}, "id": {"1"}}, "DELETE /verify_webhook/inbox/a/1", "Dropped"},
	} {
		g := &gateway{}
		w := g.press(c.button, c.form)
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), c.said) {
			t.Errorf("%s: %d %s", c.button, w.Code, w.Body)
		}
		if len(g.asked) != 1 || g.asked[0] != c.asked {
			t.Errorf("%s asked for %q, want %q", c.button, g.asked, c.asked)
		}
	}
}

// TestButtonsThatFail checks that the page shows the gateway's error with its
// status.
func TestButtonsThatFail(t *testing.T) {
	for button := range actions {
		g := &gateway{refuse: http.StatusConflict}
		w := g.press(button, url.Values{"number": {"7"}, "provider": {"a"}, "id": {"1"}})
		if w.Code != http.StatusConflict || w.Body.String() != "Being handled.\n" {
			t.Errorf("%s: %d %s", button, w.Code, w.Body)
		}
	}
	g := &gateway{}
	if w := g.press("format", nil); w.Code != http.StatusNotFound || len(g.asked) != 0 {
		t.Errorf("an unknown button: %d, asked %q", w.Code, g.asked)
	}
	if w := g.press("drop", url.Values{"id": {strings.Repeat("x", maxForm)}}); w.Code != http.StatusBadRequest || len(g.asked) != 0 {
		t.Errorf("a huge form: %d, asked %q", w.Code, g.asked)
	}
	// No path of the form may lead elsewhere on the admin endpoint.
	g.press("erase", url.Values{"number": {"../../load?x"}})
	if g.asked[0] != "DELETE /verify_webhook/deliveries/..%2F..%2Fload%3Fx" {
		t.Errorf("asked for %q", g.asked)
	}
}

// TestNews checks that a waiting page is answered at the first delivery, at the
// end of the server and at an error of the gateway.
func TestNews(t *testing.T) {
	g := &gateway{follow: func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, `{"number":8}`+"\n")
		<-r.Context().Done()
	}}
	w := g.get("news?after=7&provider=stripe&limit=5&other=x")
	if w.Code != http.StatusNoContent || g.asked[0] != "GET /verify_webhook/deliveries/follow?after=7&provider=stripe" {
		t.Errorf("%d, asked %q", w.Code, g.asked)
	}

	closing := make(chan struct{})
	g.follow = func(_ http.ResponseWriter, r *http.Request) {
		close(closing)
		<-r.Context().Done()
	}
	page := g.page()
	page.Closing = closing
	w = httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://localhost/news", nil))
	if w.Code != http.StatusNoContent {
		t.Errorf("at the end: %d", w.Code)
	}

	ctx, leave := context.WithCancel(t.Context())
	g.follow = func(_ http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
	}
	g.page().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://localhost/news", nil).WithContext(ctx))

	g.follow = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":"after: write a number"}`)
	}
	if w = g.get("news?after=x"); w.Code != http.StatusBadGateway || !strings.Contains(w.Body.String(), "after: write a number") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
