package module

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/replay"
)

// newKeeper returns a gateway with an inbox in memory that has these options.
// Its configuration counts as the active one.
func newKeeper(t *testing.T, options map[string]any, handler map[string]any, app application) *gateway {
	t.Helper()
	all := map[string]any{"inbox": "test_memory", "Name": t.Name()}
	maps.Copy(all, options)
	with := map[string]any{"inbox": all}
	maps.Copy(with, handler)
	g := newGateway(t, with, app)
	g.app.isActive = func() bool { return true }
	if err := g.app.Start(); err != nil {
		t.Fatal(err)
	}
	g.handler.history.kept.logger = g.handler.logger
	t.Cleanup(func() {
		g.Close()
		if err := g.app.Stop(); err != nil {
			t.Error(err)
		}
		waitUntil(t, func() bool {
			g.handler.history.mu.Lock()
			defer g.handler.history.mu.Unlock()
			return g.handler.history.users == 0
		})
		memoryInboxes.Delete(t.Name())
	})
	return g
}

// switchable is an application that is down until up is set.
type switchable struct{ up atomic.Bool }

func (s *switchable) serve(w http.ResponseWriter, _ *http.Request) error {
	if !s.up.Load() {
		w.WriteHeader(http.StatusBadGateway)
		_, err := io.WriteString(w, "down")
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// TestApplicationDownAndUp checks a whole rescue: the delivery is kept and
// acknowledged, delivered when the application is back, and removed.
func TestApplicationDownAndUp(t *testing.T) {
	var app switchable
	g := newKeeper(t, nil, nil, app.serve)
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	waitUntil(t, func() bool { e := g.entries(); return len(e) == 1 && !e[0].Busy })
	e := g.entries()[0]
	if e.State != inbox.Waiting || e.Last.Status != http.StatusBadGateway || e.Last.Attempts != 0 {
		t.Errorf("entry %+v", e)
	}
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "") // a duplicate
	g.expectDelivered(t, body)

	app.up.Store(true)
	g.elapse(time.Hour)
	waitUntil(t, func() bool { return len(g.entries()) == 0 })
	g.expectDelivered(t, body, body)
	first, again := g.delivered()[0], g.delivered()[1]
	if a, b := first.header.Get("Webhook-Id"), again.header.Get("Webhook-Id"); a == "" || a != b {
		t.Errorf("Webhook-Id %q, then %q", a, b)
	}
	if first.header.Get("Webhook-Attempt") != "" || again.header.Get("Webhook-Attempt") != "1" {
		t.Errorf("Webhook-Attempt %q, then %q", first.header.Get("Webhook-Attempt"), again.header.Get("Webhook-Attempt"))
	}
	if got := again.header.Get("Webhook-Received-At"); got != testTime.UTC().Format(milliseconds) {
		t.Errorf("Webhook-Received-At %q", got)
	}
	if first.uri != again.uri || again.header.Get("Webhook-Verdict") != "accepted" {
		t.Errorf("again: %+v", again)
	}
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "") // the history has it
	g.expectDelivered(t, body, body)
}

// answering is an application that answers with a status.
func answering(status int, header ...string) application {
	return func(w http.ResponseWriter, _ *http.Request) error {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "of the application")
		return nil
	}
}

// waitForEntries waits until n entries are kept and none is busy.
func (g *gateway) waitForEntries(t *testing.T, n int) []inbox.Entry {
	t.Helper()
	var entries []inbox.Entry
	waitUntil(t, func() bool {
		entries = g.entries()
		return len(entries) == n && !slices.ContainsFunc(entries, func(e inbox.Entry) bool { return e.Busy })
	})
	return entries
}

// TestWhatIsKept checks every way in which an application can fail to answer.
func TestWhatIsKept(t *testing.T) {
	for _, c := range []struct {
		name   string
		app    application
		status int // of the entry
	}{
		{"500", answering(500), 500},
		{"599", answering(599), 599},
		{"408", answering(408), 408},
		{"425", answering(425), 425},
		{"429", answering(429), 429},
		{"an error", func(http.ResponseWriter, *http.Request) error { return errors.New("some") }, 0},
		{"an error with a status", func(http.ResponseWriter, *http.Request) error {
			return caddyhttp.Error(http.StatusBadGateway, errors.New("dial"))
		}, 0},
		{"a panic", func(http.ResponseWriter, *http.Request) error { panic("canary") }, 0},
		{"no answer", func(w http.ResponseWriter, _ *http.Request) error {
			w.Header().Set("X-Left", "behind")
			return nil
		}, 0},
		{"early hints and nothing", func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(http.StatusEarlyHints)
			return nil
		}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newKeeper(t, nil, nil, c.app)
			a := g.send(t, craneops(body), body)
			expect(t, a, http.StatusOK, "")
			if a.header.Get("X-Left") != "" || a.header.Get("Retry-After") != "" {
				t.Errorf("headers %v", a.header)
			}
			e := g.waitForEntries(t, 1)[0]
			if e.State != inbox.Waiting || e.Last.Status != c.status || c.status == 0 && e.Last.Error == "" {
				t.Errorf("entry %+v", e)
			}
			// The history has the event, so that another gateway that shares the history
			// knows it.
			if _, status, err := g.handler.history.opened.Reserve(t.Context(), e.Keys); status != replay.Duplicate {
				t.Errorf("the history says %v, %v", status, err)
			}
		})
	}
}

// TestWhatIsNotKept checks the deliveries that are answered as without an
// inbox.
func TestWhatIsNotKept(t *testing.T) {
	for _, c := range []struct {
		name    string
		app     application
		options map[string]any
		want    int
		body    string
	}{
		{"200 with a body", answering(200), nil, 200, "of the application"},
		{"404", answering(404), nil, 404, "of the application"},
		{"302", answering(302), nil, 302, "of the application"},
		{"an error with another status", func(http.ResponseWriter, *http.Request) error {
			return caddyhttp.Error(http.StatusNotFound, errors.New("some"))
		}, nil, 404, "accepted no_answer"},
		{"500, if that counts", answering(500), map[string]any{"statuses": []string{"503"}}, 500, "of the application"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newKeeper(t, c.options, nil, c.app)
			expect(t, g.send(t, craneops(body), body), c.want, c.body)
			g.waitForEntries(t, 0)
			if did := g.memoryInbox().did; len(did) > 0 {
				t.Errorf("the inbox did %v", did)
			}
			if c.want != 200 { // released
				expect(t, g.send(t, craneops(body), body), c.want, c.body)
				g.expectDelivered(t, body, body)
			}
		})
	}
}

// TestAbortIsNoDelivery checks that the connection is cut and the retry is
// forwarded.
func TestAbortIsNoDelivery(t *testing.T) {
	g := newKeeper(t, nil, nil, once(func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }))
	if _, err := g.try(g.request(t, craneops(body), strings.NewReader(body))); err == nil {
		t.Error("the sender was answered")
	}
	expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	g.waitForEntries(t, 0)
}

// TestGoexitIsNoDelivery checks runtime.Goexit in the goroutine of the
// handlers.
func TestGoexitIsNoDelivery(t *testing.T) {
	g := newKeeper(t, nil, nil, once(func(http.ResponseWriter, *http.Request) error { runtime.Goexit(); return nil }))
	if _, err := g.try(g.request(t, craneops(body), strings.NewReader(body))); err == nil {
		t.Error("the sender was answered")
	}
	expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	g.waitForEntries(t, 0)
}

// slow is an application that waits for the test before it answers.
type slow struct {
	asked  chan context.Context
	answer chan application
}

func newSlow() *slow { return &slow{make(chan context.Context, 10), make(chan application, 10)} }

func (s *slow) serve(w http.ResponseWriter, r *http.Request) error {
	s.asked <- r.Context()
	return (<-s.answer)(w, r)
}

// TestAfterIsOver checks that the sender is answered while the application is
// still working, on a connection that is then free, and that the attempt goes
// on.
func TestAfterIsOver(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer application
		left   int
		state  inbox.State
		status int
	}{
		{"and then it takes the delivery", answering(201), 0, "", 0},
		{"and then it fails", answering(503), 1, inbox.Waiting, 503},
		{"and then it refuses", answering(422), 1, inbox.Dead, 422},
		{"and then it gives no answer", func(http.ResponseWriter, *http.Request) error { return nil }, 1, inbox.Waiting, 0},
		{"and then it has an error", func(http.ResponseWriter, *http.Request) error {
			return caddyhttp.Error(http.StatusNotFound, errors.New("some"))
		}, 1, inbox.Waiting, 0},
		{"and then it panics", func(http.ResponseWriter, *http.Request) error { panic("canary") }, 1, inbox.Waiting, 0},
		{"and then it aborts", func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) }, 1, inbox.Waiting, 0},
		{"and then its goroutine ends", func(http.ResponseWriter, *http.Request) error { runtime.Goexit(); return nil }, 1, inbox.Waiting, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			app := newSlow()
			g := newKeeper(t, map[string]any{"after": time.Millisecond}, nil, app.serve)
			expect(t, g.send(t, craneops(body), body), http.StatusOK, "") // on its own connection, which is closed
			ctx := <-app.asked
			if err := ctx.Err(); err != nil {
				t.Error("the attempt was ended:", err)
			}
			if e := g.entries(); len(e) != 1 || !e[0].Busy {
				t.Errorf("entries %+v", e)
			}
			expect(t, g.send(t, craneops(body), body), http.StatusOK, "") // a duplicate
			app.answer <- c.answer
			if e := g.waitForEntries(t, c.left); c.left > 0 && (e[0].State != c.state || e[0].Last.Status != c.status || e[0].Last.Attempts != 0) {
				t.Errorf("entry %+v", e[0])
			}
			g.expectDelivered(t, body)
			// A dead event is forgotten; one that waits or was taken is a duplicate.
			app.answer <- answering(http.StatusAccepted)
			want, got := http.StatusOK, ""
			if c.state == inbox.Dead {
				want, got = http.StatusAccepted, "of the application"
			}
			expect(t, g.send(t, craneops(body), body), want, got)
			if c.state == inbox.Dead {
				g.waitForEntries(t, 0) // the 2xx removes the dead entry
			}
		})
	}
}

// TestCutOffIsNoAnswer (A2) checks that nothing a handler writes after
// answer_within counts.
func TestCutOffIsNoAnswer(t *testing.T) {
	for name, after := range map[string]any{"kept before": time.Millisecond, "kept then": 50 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			g := newKeeper(t, map[string]any{"after": after}, map[string]any{"answer_within": 50 * time.Millisecond},
				func(w http.ResponseWriter, r *http.Request) error {
					<-r.Context().Done()
					w.WriteHeader(statusClientClosed)
					return nil
				})
			expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
			e := g.waitForEntries(t, 1)[0]
			if e.State != inbox.Waiting || e.Last.Status != 0 || e.Last.Error == "" {
				t.Errorf("entry %+v", e)
			}
		})
	}
}

// TestAnswerWhileCommitting checks that an answer waits while the inbox is
// writing. If that fails, the whole answer goes out. Otherwise the answer
// settles the entry.
func TestAnswerWhileCommitting(t *testing.T) {
	for _, c := range []struct {
		name string
		full bool
		want string
	}{{"kept", false, ""}, {"full", true, "of the application"}} {
		t.Run(c.name, func(t *testing.T) {
			g := newKeeper(t, map[string]any{"after": time.Millisecond}, nil, nil)
			m := g.memoryInbox()
			m.full, m.hold = c.full, make(chan struct{})
			applications.Store(t.Name(), func(w http.ResponseWriter, _ *http.Request, _ caddyhttp.Handler) error {
				waitUntil(t, func() bool { return m.committing.Load() > 0 })
				go func() { // it cannot answer before the inbox has decided
					<-time.After(20 * time.Millisecond)
					close(m.hold)
				}()
				_, err := io.WriteString(w, "of the application")
				return err
			})
			expect(t, g.send(t, craneops(body), body), http.StatusOK, c.want)
			g.waitForEntries(t, 0)
			expect(t, g.send(t, craneops(body), body), http.StatusOK, "") // a duplicate
		})
	}
}

// TestFullInbox checks that a full inbox is like none: with mode always too,
// the application is asked before the sender is answered.
func TestFullInbox(t *testing.T) {
	for _, mode := range []string{inbox.ModeRescue, inbox.ModeAlways} {
		t.Run(mode, func(t *testing.T) {
			g := newKeeper(t, map[string]any{"mode": mode}, nil, once(answering(503)))
			g.memoryInbox().full = true
			expect(t, g.send(t, craneops(body), body), 503, "of the application")
			expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
			g.waitForEntries(t, 0)
			g.expectDelivered(t, body, body)
			if g.logs.FilterMessageSnippet("keeping a delivery").Len() == 0 {
				t.Error("nothing was logged")
			}
		})
	}
}

// TestAlways checks that mode always keeps the delivery, answers at once and
// then delivers it as attempt 1.
func TestAlways(t *testing.T) {
	app := newSlow()
	g := newKeeper(t, map[string]any{"mode": "always"}, nil, app.serve)
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	<-app.asked
	if e := g.entries(); len(e) != 1 {
		t.Errorf("entries %+v", e)
	}
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	app.answer <- answering(200)
	g.waitForEntries(t, 0)
	g.expectDelivered(t, body)
	if got := g.delivered()[0].header.Get("Webhook-Attempt"); got != "1" {
		t.Errorf("Webhook-Attempt %q", got)
	}
}

// TestKeptInThisOrder checks the order: the inbox stores the delivery, then the
// history records it, then the sender is answered. Later the application takes
// it, then the history records that, and then the entry is removed.
func TestKeptInThisOrder(t *testing.T) {
	var app switchable
	g := newKeeper(t, nil, nil, app.serve)
	m := g.memoryInbox()
	history := &noting{History: g.handler.history.opened, m: m}
	g.handler.history.opened, g.handler.history.kept.history = history, history
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	g.waitForEntries(t, 1)
	app.up.Store(true)
	// The history has forgotten it (A4); the inbox has not.
	if _, err := history.Forget(t.Context(), g.entries()[0].Keys.Content); err != nil {
		t.Fatal(err)
	}
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	g.elapse(time.Hour)
	g.waitForEntries(t, 0)
	want := []string{"keep", "deliver", "later", "forget", "take", "deliver", "finish", "hurry"}
	if m.did = slices.DeleteFunc(m.did, func(s string) bool { return s == "release" }); !slices.Equal(m.did, want) {
		t.Errorf("did %v, want %v", m.did, want)
	}
	g.expectDelivered(t, body, body)
}

// noting is a history that records its calls.
type noting struct {
	replay.History
	m *memoryInbox
}

func (n *noting) Reserve(ctx context.Context, e replay.Event) (replay.Reservation, replay.Status, error) {
	r, status, err := n.History.Reserve(ctx, e)
	if r != nil {
		r = notingReservation{r, n.m}
	}
	return r, status, err
}

func (n *noting) Forget(ctx context.Context, key replay.Key) (replay.Status, error) {
	n.m.mu.Lock()
	n.m.note("forget")
	n.m.mu.Unlock()
	return n.History.Forget(ctx, key)
}

type notingReservation struct {
	replay.Reservation
	m *memoryInbox
}

func (n notingReservation) Deliver(ctx context.Context) error {
	n.m.mu.Lock()
	n.m.note("deliver")
	n.m.mu.Unlock()
	return n.Reservation.Deliver(ctx)
}

// TestRetryAfter checks that the Retry-After of an answer that does not count
// is respected if it is longer than the backoff, up to an hour.
func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration
	}{
		{"", 0},
		{"120", 2 * time.Minute},
		{"86400", time.Hour},
		{"-5", 0},
		{"soon", 0},
		{testTime.Add(90 * time.Second).Truncate(time.Second).UTC().Format(http.TimeFormat), 89 * time.Second},
		{testTime.Add(-time.Hour).UTC().Format(http.TimeFormat), 0},
	} {
		got := retryAfter(http.Header{"Retry-After": {c.text}}, testTime)
		if got.Truncate(time.Second) != c.want {
			t.Errorf("%q: %v, want %v", c.text, got, c.want)
		}
	}
	g := newKeeper(t, nil, nil, answering(503, "Retry-After", "120"))
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	if e := g.waitForEntries(t, 1)[0]; e.Last.Hurried {
		t.Error("the end of the failure does not wait as asked")
	}
	m := g.memoryInbox()
	m.mu.Lock()
	defer m.mu.Unlock()
	if due := m.entries[0].due; due != 2*time.Minute {
		t.Errorf("due in %v", due)
	}
}

// TestBackoff checks that the wait doubles between its bounds, with up to a
// quarter less.
func TestBackoff(t *testing.T) {
	b := &labelInbox{options: inbox.Options{}.WithDefaults()}
	for attempts, want := range map[int]time.Duration{
		0: time.Second, 1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 1000: 5 * time.Minute,
	} {
		for range 100 {
			if got := b.backoff(attempts); got > want || got < want*3/4 {
				t.Errorf("after %d attempts %v, want up to %v", attempts, got, want)
			}
		}
	}
}

// TestHandlersBehindAreTheSame checks that later handlers behave as without an
// inbox: they see the variables and placeholders that others set, and others
// see theirs.
func TestHandlersBehindAreTheSame(t *testing.T) {
	g := newKeeper(t, nil, map[string]any{"before": []any{
		map[string]any{"handler": "rewrite", "uri": "/rewritten"},
		map[string]any{"handler": "vars", "before": "from before"},
		map[string]any{"handler": "verify_webhook_test_application", "name": t.Name() + " before"},
	}}, func(w http.ResponseWriter, r *http.Request) error {
		repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		for placeholder, want := range map[string]string{
			"http.vars.before":                 "from before",
			"http.request.orig_uri":            "/hook?token=1",
			"http.request.uri":                 "/rewritten?token=1",
			"http.request.body":                body,
			"http.verify_webhook.verdict":      "accepted",
			"placed.before":                    "here",
			"http.request.header.Webhook-Id":   r.Header.Get("Webhook-Id"),
			"http.request.header.Content-Type": "",
		} {
			if got, _ := repl.GetString(placeholder); got != want {
				t.Errorf("{%s} is %q, want %q", placeholder, got, want)
			}
		}
		repl.Set("placed.behind", "there")
		caddyhttp.SetVar(r.Context(), "behind", "from behind")
		if w.Header().Get("X-Before") != "1" {
			t.Error("the headers of the answer are not there")
		}
		w.Header().Del("X-Before")
		w.Header().Set("X-Behind", "2")
		w.WriteHeader(http.StatusCreated)
		return nil
	})
	applications.Store(t.Name()+" before", func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		repl := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
		repl.Set("placed.before", "here")
		w.Header().Set("X-Before", "1")
		err := next.ServeHTTP(w, r)
		if got, _ := repl.GetString("placed.behind"); got != "there" {
			t.Errorf("placeholder from behind: %q", got)
		}
		if got := caddyhttp.GetVar(r.Context(), "behind"); got != "from behind" {
			t.Errorf("variable from behind: %q", got)
		}
		if got, known := repl.Get("nobody.has.it"); known {
			t.Errorf("an unknown placeholder is %q", got)
		}
		if got := r.Header.Get("Webhook-Id"); got != "" {
			t.Errorf("the request of others was changed: Webhook-Id %q", got)
		}
		return err
	})
	a := g.send(t, craneops(body), body)
	expect(t, a, http.StatusCreated, "")
	if a.header.Get("X-Before") != "" || a.header.Get("X-Behind") != "2" {
		t.Errorf("headers %v", a.header)
	}
}

// TestSenderGoesAway checks that a delivery is kept although its sender has
// gone away.
func TestSenderGoesAway(t *testing.T) {
	app := newSlow()
	g := newKeeper(t, nil, nil, app.serve)
	ctx, cancel := context.WithCancel(t.Context())
	r := g.request(t, craneops(body), strings.NewReader(body)).WithContext(ctx)
	over := make(chan struct{})
	go func() { defer close(over); _, _ = g.try(r) }()
	<-app.asked
	cancel()
	<-over
	app.answer <- answering(503)
	g.waitForEntries(t, 1)
}

// TestPauseBetweenProbes checks that the pause grows with each failure in a row
// up to the first wait of an entry, and that a success ends it.
func TestPauseBetweenProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &labelInbox{opened: new(memoryInbox)}
		tries := &b.trying
		for _, want := range []time.Duration{time.Second / 64, time.Second / 32, time.Second / 16, time.Second / 8, time.Second / 4, time.Second / 2, time.Second, time.Second} {
			if got := tries.pause(); got > 0 {
				t.Fatalf("before the next failure the pause is %v", got)
			}
			tries.failed(time.Second)
			if got := tries.pause(); got != want {
				t.Errorf("the pause is %v, want %v", got, want)
			}
			if tries.places(4) != 1 {
				t.Error("more than one at a time")
			}
			time.Sleep(want)
		}
		tries.failed(time.Second)
		tries.worked(b)
		if got := tries.pause(); got != 0 || tries.places(4) != 4 {
			t.Errorf("after a success the pause is %v", got)
		}
	})
}

// TestOneProbeWhileItFails checks that one attempt runs at a time while the
// application fails, and that all waiting deliveries are attempted once it
// works.
func TestOneProbeWhileItFails(t *testing.T) {
	var running, most atomic.Int32
	var app switchable
	g := newKeeper(t, map[string]any{"retry": map[string]any{"first": 100 * time.Millisecond, "most": time.Hour}}, nil, func(w http.ResponseWriter, r *http.Request) error {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		return app.serve(w, r)
	})
	const n = 10
	for i := range n {
		text := fmt.Sprint(i)
		expect(t, g.send(t, craneops(text), text), http.StatusOK, "")
	}
	g.waitForEntries(t, n)
	most.Store(0)
	g.elapse(time.Hour)
	waitUntil(t, func() bool { return len(g.delivered()) == 2*n })
	if most.Load() != 1 {
		t.Errorf("%d at once while it fails", most.Load())
	}
	app.up.Store(true)
	g.elapse(10 * time.Millisecond) // no more than one entry can be due by itself
	m := g.memoryInbox()
	m.mu.Lock()
	m.entries[0].due = 0
	m.mu.Unlock()
	g.handler.history.kept.look()
	g.waitForEntries(t, 0)
	if len(g.delivered()) != 3*n {
		t.Errorf("%d reached the application", len(g.delivered()))
	}
}

// TestKeepIsOver checks that the entry becomes dead, that the history forgets
// the event, and that the entry is removed later.
func TestKeepIsOver(t *testing.T) {
	g := newKeeper(t, map[string]any{"keep": time.Hour, "dead": 2 * time.Hour}, nil, answering(503))
	expect(t, g.send(t, craneops(body), body), http.StatusOK, "")
	g.waitForEntries(t, 1)
	g.elapse(2 * time.Hour)
	waitUntil(t, func() bool { e := g.entries(); return e[0].State == inbox.Dead })
	key := g.entries()[0].Keys
	waitUntil(t, func() bool {
		reservation, status, _ := g.handler.history.opened.Reserve(t.Context(), key)
		if reservation != nil {
			_ = reservation.Release(t.Context())
		}
		return status == replay.Reserved
	})
	g.elapse(3 * time.Hour)
	g.waitForEntries(t, 0)
	if g.logs.FilterMessageSnippet("removed from the inbox").Len() != 1 {
		t.Error("its removal was not logged")
	}
}

// TestMemoryIsGivenBack checks that memory is given back after kept deliveries,
// late attempts and redeliveries.
func TestMemoryIsGivenBack(t *testing.T) {
	app := newSlow()
	g := newKeeper(t, map[string]any{"after": time.Millisecond}, nil, app.serve)
	large := strings.Repeat("x", 300_000)
	expect(t, g.send(t, craneops(large), large), http.StatusOK, "")
	<-app.asked
	app.answer <- answering(503)
	g.waitForEntries(t, 1)
	g.elapse(time.Hour)
	<-app.asked
	app.answer <- answering(200)
	g.waitForEntries(t, 0)
	g.expectDelivered(t, large, large)
	expectNothingBuffered(t)
}
