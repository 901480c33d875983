package module

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/inbox"
	_ "github.com/hooklatch/hooklatch/module/inbox/file"
	_ "github.com/hooklatch/hooklatch/module/replay/file"
)

// TestRedeliveryHasWhatWasVerified checks that a redelivery has the same
// headers as the first time, and a signature of its own.
func TestRedeliveryHasWhatWasVerified(t *testing.T) {
	var app switchable
	key := "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	g := newKeeper(t, nil, map[string]any{"scheme": "mceasy", "sign_upstream": []string{key}, "emit": []string{"webhook", "cloudevents"}}, app.serve)
	const text = `{"event_type":"alarm","event_name":"harsh braking"}`
	sent := with(mceasy(testTime, "6", "48213", text), "Webhook-Forged", "1", "X-Own", "2")
	expect(t, g.send(t, sent, text), http.StatusOK, "")
	g.waitForEntries(t, 1)
	expect(t, g.send(t, mceasy(testTime, "6", "other", text), text), http.StatusConflict, "rejected conflict")
	expect(t, g.send(t, mceasy(testTime, "7", "48213", text), text), http.StatusConflict, "rejected conflict")
	g.handler.now = func() time.Time { return testTime.Add(time.Hour) }
	app.up.Store(true)
	g.elapse(time.Hour)
	g.waitForEntries(t, 0)
	first, again := g.delivered()[0], g.delivered()[1]
	if again.header.Get("Webhook-Signature") == first.header.Get("Webhook-Signature") || again.header.Get("Webhook-Timestamp") != formatSeconds(testTime.Add(time.Hour)) {
		t.Errorf("signed %s at %s", again.header.Get("Webhook-Signature"), again.header.Get("Webhook-Timestamp"))
	}
	for name := range again.header {
		switch name {
		case "Webhook-Signature", "Webhook-Timestamp", "Webhook-Attempt", "Webhook-Received-At":
			continue
		}
		if a, b := first.header[name], again.header[name]; fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("%s: %q, then %q", name, a, b)
		}
	}
	if first.header.Get("Webhook-Occurrence-Id") != "48213" || again.header.Get("Webhook-Forged") != "" || again.header.Get("X-Own") != "2" {
		t.Errorf("headers %v", again.header)
	}
	if len(first.header)+2 != len(again.header) {
		t.Errorf("%d headers, then %d", len(first.header), len(again.header))
	}
}

// TestAttemptIsVisible checks the placeholder of the attempt. The first request
// of a rescue has none.
func TestAttemptIsVisible(t *testing.T) {
	var app switchable
	seen := make(chan string, 10)
	g := newKeeper(t, nil, nil, func(w http.ResponseWriter, r *http.Request) error {
		repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		seen <- repl.ReplaceAll("{http.verify_webhook.attempt}|{http.verify_webhook.event}|{http.verify_webhook.id}", "")
		return app.serve(w, r)
	})
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	id := g.waitForEntries(t, 1)[0].Facts.ID
	g.elapse(time.Hour)
	if first, second := <-seen, <-seen; first != "|booking.created|"+id || second != "1|booking.created|"+id {
		t.Errorf("%q, then %q", first, second)
	}
	waitUntil(t, func() bool { return g.waitForEntries(t, 1)[0].Last.Attempts == 1 })
	app.up.Store(true)
	g.elapse(time.Hour)
	if third := <-seen; third != "2|booking.created|"+id {
		t.Errorf("then %q", third)
	}
	g.waitForEntries(t, 0)
}

// TestRedeliveryThatDoesNotArrive (A1) checks that a 2xx from a handler before
// the one of the label does not remove the entry.
func TestRedeliveryThatDoesNotArrive(t *testing.T) {
	var block switchable
	g := newKeeper(t, nil, map[string]any{"before": []any{
		map[string]any{"handler": "verify_webhook_test_application", "name": t.Name() + " before"},
	}}, answering(503))
	applications.Store(t.Name()+" before", func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		if block.up.Load() {
			w.WriteHeader(http.StatusOK)
			return nil
		}
		return next.ServeHTTP(w, r)
	})
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	g.waitForEntries(t, 1)
	block.up.Store(true)
	g.elapse(time.Hour)
	var e inbox.Entry
	waitUntil(t, func() bool { e = g.waitForEntries(t, 1)[0]; return e.Last.Attempts == 1 })
	if e.State != inbox.Waiting || e.Last.Error != errNotReached.Error() {
		t.Errorf("entry %+v", e)
	}
	g.expectDelivered(t, body)
}

// TestNothingIsAttemptedBeforeTheConfigurationIsActive checks that nothing is
// attempted before the configuration is active, nor afterwards.
func TestNothingIsAttemptedBeforeTheConfigurationIsActive(t *testing.T) {
	g := newKeeper(t, map[string]any{"mode": "always"}, nil, nil)
	b := g.handler.history.kept
	b.stop()
	b.app.isActive = func() bool { return false }
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	if wait := b.round(t.Context()); wait != lookForActive {
		t.Errorf("looks again in %v", wait)
	}
	g.waitForEntries(t, 1)
	g.expectDelivered(t)
	if activeApp() != nil {
		t.Error("a configuration that Caddy does not run is active")
	}
	b.app.isActive = func() bool { return true }
	b.round(t.Context())
	g.waitForEntries(t, 0)
	g.expectDelivered(t, body)
}

// TestMostAttemptsAtOnce checks that concurrency limits the attempts at once.
func TestMostAttemptsAtOnce(t *testing.T) {
	app := newSlow()
	g := newKeeper(t, map[string]any{"mode": "always", "concurrency": 2}, nil, app.serve)
	for i := range 5 {
		text := fmt.Sprint(i)
		expect(t, g.send(t, craneops(text), text), http.StatusOK, "")
	}
	for left := 5; left > 0; left-- {
		waitUntil(t, func() bool { return len(app.asked) == min(2, left) })
		busy := 0
		for _, e := range g.entries() {
			if e.Busy {
				busy++
			}
		}
		if busy != min(2, left) {
			t.Errorf("%d are being attempted", busy)
		}
		<-app.asked
		app.answer <- answering(200)
		waitUntil(t, func() bool { return len(g.entries()) == left-1 })
		if left > 2 {
			waitUntil(t, func() bool { return len(app.asked) == 2 })
		}
	}
}

// TestApplicationNeedNotWaitForRemovals: while deliveries that it has taken are being
// removed it gets others, but not more than a crash may repeat. None comes twice, and
// the inbox stays open until all are removed.
func TestApplicationNeedNotWaitForRemovals(t *testing.T) {
	const n, most = 25, 2 * (1 + removalsEach)
	g := newKeeper(t, map[string]any{"mode": "always", "concurrency": 2}, nil, nil)
	m := g.memoryInbox()
	slow := make(chan struct{})
	m.mu.Lock()
	m.slow = slow
	m.mu.Unlock()
	for i := range n {
		text := fmt.Sprint(i)
		expect(t, g.send(t, craneops(text), text), http.StatusOK, "")
	}
	tries := &g.handler.history.kept.trying
	waitUntil(t, func() bool {
		tries.mu.Lock()
		defer tries.mu.Unlock()
		return tries.running == 0 && tries.removing == most
	})
	if got := len(g.delivered()); got != most {
		t.Errorf("%d reached the application, want %d", got, most)
	}
	g.handler.history.mu.Lock()
	if users := g.handler.history.users; users < most {
		t.Errorf("%d keep the inbox open, want %d", users, most)
	}
	g.handler.history.mu.Unlock()
	close(slow)
	g.waitForEntries(t, 0)
	if got := len(g.delivered()); got != n {
		t.Errorf("%d reached the application, want %d", got, n)
	}
}

// TestInboxMetrics checks that the metrics count the inbox's operations by
// label.
func TestInboxMetrics(t *testing.T) {
	var app switchable
	g := newKeeper(t, map[string]any{"max_size": 1 << 20}, nil, app.serve)
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	g.waitForEntries(t, 1)
	g.elapse(time.Hour)
	waitUntil(t, func() bool { return g.waitForEntries(t, 1)[0].Last.Attempts == 1 })
	got := g.metrics(t)
	for name, want := range map[string]float64{
		"inbox_kept_total": 1, `inbox_attempts_total{outcome="again"}`: 1,
		`inbox_entries{state="waiting"}`: 1, "inbox_bytes": float64(len(body)), "inbox_oldest_seconds": 3600,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	m := g.memoryInbox()
	m.mu.Lock()
	m.full = true
	m.mu.Unlock()
	expect(t, g.send(t, craneops("2"), "2"), 502, "down")
	app.up.Store(true)
	g.elapse(time.Hour)
	g.waitForEntries(t, 0)
	waitUntil(t, func() bool { return g.metrics(t)[`inbox_attempts_total{outcome="delivered"}`] == 1 })
	if got := g.metrics(t); got["inbox_errors_total"] != 1 || got[`inbox_entries{state="waiting"}`] != 0 {
		t.Errorf("%v", got)
	}
}

// TestInboxEvents checks that listeners get events without payloads.
func TestInboxEvents(t *testing.T) {
	var app switchable
	g := newKeeper(t, nil, nil, app.serve)
	events := make(chan caddy.Event, 10)
	for _, name := range []string{"webhook_kept", "webhook_redelivered", "webhook_dead"} {
		g.listen(t, name, func(e caddy.Event) { events <- e })
	}
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	id := g.waitForEntries(t, 1)[0].Facts.ID
	if e := <-events; e.Name() != "webhook_kept" || e.Data["id"] != id || e.Data["provider"] != g.handler.Provider {
		t.Errorf("%s %v", e.Name(), e.Data)
	}
	app.up.Store(true)
	g.elapse(time.Hour)
	if e := <-events; e.Name() != "webhook_redelivered" || e.Data["id"] != id || e.Data["attempts"] != 1 || e.Data["status"] != 204 {
		t.Errorf("%s %v", e.Name(), e.Data)
	}
	applications.Store(t.Name(), func(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
		w.WriteHeader(503)
		return nil
	})
	expect(t, g.send(t, craneops("2"), "2"), http.StatusOK, "")
	<-events
	g.elapse(100 * time.Hour)
	if e := <-events; e.Name() != "webhook_dead" {
		t.Errorf("%s %v", e.Name(), e.Data)
	}
}

// askAdmin sends a request to the admin endpoint.
func askAdmin(t *testing.T, method, uri string) (status int, text string) {
	t.Helper()
	w := httptest.NewRecorder()
	a := &adminAPI{logger: zap.NewNop()}
	err := a.inboxes(w, httptest.NewRequest(method, uri, nil))
	if refused, ok := errors.AsType[caddy.APIError](err); ok {
		return refused.HTTPStatus, refused.Err.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, w.Body.String()
}

func TestInboxAdmin(t *testing.T) {
	app := newSlow()
	g := newKeeper(t, nil, nil, app.serve)
	app.answer <- answering(503)
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	<-app.asked
	e := g.waitForEntries(t, 1)[0]
	label, one := g.handler.Provider, inboxPath+"/"+g.handler.Provider+"/"+e.Facts.ID

	status, text := askAdmin(t, http.MethodGet, inboxPath+"?provider="+label)
	var list []map[string]any
	if err := json.Unmarshal([]byte(text), &list); err != nil || status != http.StatusOK || len(list) != 1 {
		t.Fatalf("%d %s %v", status, text, err)
	}
	for name, want := range map[string]any{
		"provider": label, "scheme": "craneops", "id": e.Facts.ID, "state": "waiting", "attempts": 0.0,
		"received_at": testTime.Format(time.RFC3339Nano), "last_status": 503.0, "key": 1.0, "event": "booking.created",
		"method": "POST", "path": "/hook", "size": float64(len(body)), "client_ip": "127.0.0.1",
	} {
		if list[0][name] != want {
			t.Errorf("%s is %v, want %v", name, list[0][name], want)
		}
	}
	if strings.Contains(text, "token") || list[0]["next_attempt_at"] == nil {
		t.Errorf("list %s", text)
	}
	for _, c := range []struct {
		method, uri string
		status      int
	}{
		{"GET", inboxPath + "?state=dead&provider=" + label, 200},
		{"GET", inboxPath + "?state=alive", 400},
		{"GET", inboxPath + "?verdict=x", 400},
		{"GET", inboxPath + "?state=dead&state=waiting", 400},
		{"POST", inboxPath, 405},
		{"GET", one, 405},
		{"GET", one + "/retry", 405},
		{"DELETE", one + "/retry/more", 400},
		{"DELETE", inboxPath + "/" + label, 400},
		{"DELETE", inboxPath + "/" + label + "/other", 404},
		{"DELETE", inboxPath + "/nobody/" + e.Facts.ID, 404},
		{"POST", inboxPath + "/nobody/retry", 404},
		{"POST", one + "/retry", 204},
	} {
		if status, text := askAdmin(t, c.method, c.uri); status != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.uri, status, text, c.status)
		}
	}
	<-app.asked // by the retry
	for _, c := range []struct{ method, uri string }{{"POST", one + "/retry"}, {"DELETE", one}} {
		if status, text := askAdmin(t, c.method, c.uri); status != 409 {
			t.Errorf("%s while it is attempted: %d %s", c.method, status, text)
		}
	}
	app.answer <- answering(422)
	waitUntil(t, func() bool { return g.waitForEntries(t, 1)[0].State == inbox.Dead })
	if status, text := askAdmin(t, http.MethodPost, inboxPath+"/"+label+"/retry?state=waiting"); status != 204 {
		t.Error(status, text)
	}
	if g.entries()[0].State != inbox.Dead {
		t.Error("a dead one was retried among those that wait")
	}
	if status, text := askAdmin(t, http.MethodPost, inboxPath+"/"+label+"/retry?state=dead"); status != 204 {
		t.Error(status, text)
	}
	<-app.asked
	app.answer <- answering(422)
	waitUntil(t, func() bool { return g.waitForEntries(t, 1)[0].State == inbox.Dead })
	if status, text := askAdmin(t, http.MethodDelete, one); status != 204 {
		t.Error(status, text)
	}
	g.waitForEntries(t, 0)
}

// loading loads a configuration of craneops handlers and returns the error.
func loading(t *testing.T, handlers ...map[string]any) error {
	t.Helper()
	var handle []any
	for _, options := range handlers {
		h := map[string]any{"handler": "verify_webhook", "scheme": "craneops", "secrets": []string{"s"}}
		maps.Copy(h, options)
		handle = append(handle, h)
	}
	raw, err := json.Marshal(map[string]any{"servers": map[string]any{"test": map[string]any{
		"listen": []string{"127.0.0.1:0"}, "routes": []any{map[string]any{"handle": handle}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = caddy.ProvisionContext(&caddy.Config{
		Admin: &caddy.AdminConfig{Disabled: true}, AppsRaw: caddy.ModuleMap{"http": raw},
	})
	return err
}

// TestInboxesOfOneConfiguration checks that inboxes are checked against each
// other, and that the errors say what to write.
func TestInboxesOfOneConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, more ...any) map[string]any {
		o := map[string]any{"inbox": "file", "path": filepath.Join(dir, name)}
		for i := 0; i < len(more); i += 2 {
			o[more[i].(string)] = more[i+1]
		}
		return o
	}
	history := map[string]any{"store": "file", "path": filepath.Join(dir, ".", "x", "..", "history.db")}
	for _, c := range []struct {
		name     string
		handlers []map[string]any
		want     string
	}{
		{"two labels in one file", []map[string]any{{"provider": "a", "inbox": file("i.db")}, {"provider": "b", "inbox": file("i.db")}}, ""},
		{"two sizes of one file", []map[string]any{{"provider": "a", "inbox": file("i.db")}, {"provider": "b", "inbox": file("i.db", "max_size", 1<<20)}}, "write the same max_size in both"},
		{"one size, once as the default", []map[string]any{{"provider": "a", "inbox": file("i.db")}, {"provider": "b", "inbox": file("i.db", "max_size", 1<<30)}}, ""},
		{"one label, two settings", []map[string]any{{"provider": "a", "inbox": file("i.db")}, {"provider": "a", "inbox": file("i.db", "mode", "always")}}, "with other inbox settings"},
		{"one label, one without", []map[string]any{{"provider": "a", "inbox": file("i.db")}, {"provider": "a"}}, "with other inbox settings"},
		{"the path of its history", []map[string]any{{"provider": "a", "inbox": file("history.db"), "replay": history}}, "its path is that of a replay history"},
		{"the path of another's history", []map[string]any{{"provider": "a", "replay": history}, {"provider": "b", "inbox": file("history.db")}}, "its path is that of a replay history"},
		{"a placeholder that is empty", []map[string]any{{"inbox": map[string]any{"inbox": "file", "path": "{env.HOOKLATCH_NOT_SET}"}}}, "resolving the path"},
		{"null", []map[string]any{{"inbox": nil}}, ""},
		{"after above answer_within", []map[string]any{{"inbox": file("i.db", "after", 2*time.Second), "answer_within": time.Second}}, "after 2s is longer than answer_within 1s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := loading(t, c.handlers...)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), "verify_webhook") {
				t.Errorf("the error does not name the handler: %v", err)
			}
		})
	}
}

// TestInboxWithoutMemory: while bodies take all that max_buffered allows, a sender is
// told to come again and nothing of its delivery is kept. What waits is not attempted,
// and that is no attempt. What has its memory is kept as ever.
func TestInboxWithoutMemory(t *testing.T) {
	app := newSlow()
	g := newKeeper(t, map[string]any{"after": 30 * time.Second}, map[string]any{"max_buffered": 512 << 10, "max_body": 448 << 10}, app.serve)
	waits, holds, late := strings.Repeat("a", 400_000), strings.Repeat("b", 400_000), strings.Repeat("c", 400_000)
	answers := make(chan answerOf, 1)
	hold := func(text string) {
		go func() { answers <- g.send(t, craneops(text), text) }()
		<-app.asked
	}
	overloaded := func() {
		t.Helper()
		a := g.send(t, craneops(late), late)
		expect(t, a, http.StatusServiceUnavailable, "rejected overloaded")
		if a.header.Get("Retry-After") != "30" {
			t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
		}
	}
	hold(waits)
	overloaded()
	app.answer <- answering(http.StatusServiceUnavailable)
	expect(t, <-answers, http.StatusOK, "")
	if e := g.waitForEntries(t, 1)[0]; e.Size != int64(len(waits)) {
		t.Errorf("entry %+v", e)
	}

	hold(holds)
	overloaded()
	m := g.memoryInbox()
	g.elapse(time.Hour)
	waitUntil(t, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		did := slices.DeleteFunc(slices.Clone(m.did), func(s string) bool { return s == "release" })
		return len(did) >= 2 && slices.Equal(did[len(did)-2:], []string{"take", "later"})
	})
	if e := g.waitForEntries(t, 1)[0]; e.State != inbox.Waiting || e.Last.Attempts != 0 || e.Last.Status != http.StatusServiceUnavailable {
		t.Errorf("entry %+v", e)
	}
	app.answer <- answering(http.StatusNoContent)
	expect(t, <-answers, http.StatusNoContent, "")
	g.elapse(time.Hour)
	<-app.asked
	app.answer <- answering(http.StatusNoContent)
	g.waitForEntries(t, 0)
	g.expectDelivered(t, waits, holds, waits)
	if got := g.delivered()[2].header.Get("Webhook-Attempt"); got != "1" {
		t.Errorf("Webhook-Attempt %q", got)
	}

	hold(late) // it was free for its retry
	app.answer <- answering(http.StatusNoContent)
	expect(t, <-answers, http.StatusNoContent, "")
	expectNothingBuffered(t)
}
