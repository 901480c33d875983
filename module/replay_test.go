package module

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module/replay"
)

// step is one delivery in a sequence.
type step struct {
	name   string
	header http.Header
	body   string
	status int
	answer string
}

func (g *gateway) walk(t *testing.T, steps []step) {
	t.Helper()
	for _, s := range steps {
		a := g.send(t, s.header, s.body)
		if a.status != s.status || a.body != s.answer {
			t.Errorf("%s: %d %q, want %d %q", s.name, a.status, a.body, s.status, s.answer)
		}
	}
}

const other = `{"event":"booking.cancelled"}`

func TestReplaysThatChangeWhatIsNotSigned(t *testing.T) {
	at := testTime
	upper := craneops(body)
	upper.Set("X-Craneops-Signature", strings.ToUpper(upper.Get("X-Craneops-Signature")))
	reordered := http.Header{"Cryptr-Signature": {cryptrReordered(cryptr(at, body).Get("Cryptr-Signature"))}}
	label := mceasy(at, "6", "job-1", body)
	label.Set("X-Mceasywebhook-Signature", strings.Replace(label.Get("X-Mceasywebhook-Signature"), "v1.0:", "v1.2:", 1))
	for _, c := range []struct {
		scheme string
		steps  []step
	}{
		{"craneops", []step{
			{"first", with(craneops(body), "X-Craneops-Event", "a"), body, 204, ""},
			{"again", with(craneops(body), "X-Craneops-Event", "a"), body, 200, ""},
			{"upper case", with(upper, "X-Craneops-Event", "a"), body, 200, ""},
			{"another event type", with(craneops(body), "X-Craneops-Event", "b"), body, 409, "rejected conflict"},
			{"no event type", craneops(body), body, 409, "rejected conflict"},
			{"empty event type", with(craneops(body), "X-Craneops-Event", ""), body, 409, "rejected conflict"},
			{"other content", with(craneops(other), "X-Craneops-Event", "a"), other, 204, ""},
		}},
		{"cryptr", []step{
			{"first", cryptr(at, body), body, 204, ""},
			{"order and separators", reordered, body, 200, ""},
			{"signed anew, as a retry is", cryptr(at.Add(time.Minute), body), body, 200, ""},
		}},
		{"mceasy", []step{
			{"first", mceasy(at, "6", "job-1", body), body, 204, ""},
			{"signed anew", mceasy(at.Add(time.Minute), "6", "job-1", body), body, 200, ""},
			{"version label", label, body, 200, ""},
			{"another occurrence", mceasy(at, "6", "job-2", body), body, 409, "rejected conflict"},
			{"no occurrence", mceasy(at, "6", "", body), body, 409, "rejected conflict"},
			{"other content, same occurrence", mceasy(at, "6", "job-1", other), other, 409, "rejected conflict"},
			{"another event id, same body", mceasy(at, "7", "job-3", body), body, 204, ""},
			{"other content, refused before", mceasy(at, "6", "job-4", other), other, 204, ""},
		}},
	} {
		t.Run(c.scheme, func(t *testing.T) {
			newGateway(t, map[string]any{"scheme": c.scheme}, nil).walk(t, c.steps)
		})
	}
}

func cryptrReordered(signature string) string {
	t, v1, _ := strings.Cut(signature, ",")
	return "x=y " + v1 + ",, \t" + t + ","
}

func TestOnDuplicateReject(t *testing.T) {
	g := newGateway(t, map[string]any{"on_duplicate": "reject"}, nil)
	expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	expect(t, g.send(t, craneops(body), body), http.StatusConflict, "duplicate duplicate")
	g.expectDelivered(t, body)
}

func TestOnConflictForward(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "mceasy", "on_conflict": "forward"}, nil)
	at := testTime
	g.walk(t, []step{
		{"first", mceasy(at, "6", "job-1", body), body, 204, ""},
		{"one body as another event", mceasy(at, "6", "job-2", body), body, 204, ""},
		{"its retry", mceasy(at.Add(time.Second), "6", "job-2", body), body, 200, ""},
		{"the first one's retry", mceasy(at, "6", "job-1", body), body, 200, ""},
		{"other content under a known occurrence", mceasy(at, "6", "job-1", other), other, 204, ""},
		{"its retry", mceasy(at, "6", "job-1", other), other, 200, ""},
		{"both known, but not together", mceasy(at, "6", "job-2", other), other, 204, ""},
		{"its retry", mceasy(at, "6", "job-2", other), other, 200, ""},
	})
	g.expectDelivered(t, body, body, other, other)
	got := g.delivered()
	ids := map[string]bool{}
	for _, d := range got {
		ids[d.header.Get("Webhook-Id")] = true
	}
	if len(ids) != 4 {
		t.Errorf("%d ids for four events: %v", len(ids), ids)
	}
}

// TestVariantWithoutUnsignedValues sends an event without the unsigned values
// of the event that it conflicts with.
func TestVariantWithoutUnsignedValues(t *testing.T) {
	g := newGateway(t, map[string]any{"on_conflict": "forward", "replay": map[string]any{"store": "memory", "size": 2}}, nil)
	g.walk(t, []step{
		{"first", with(craneops(body), "X-Craneops-Event", "a"), body, 204, ""},
		{"without an event type", craneops(body), body, 204, ""},
		{"something else, which makes the first one go", craneops(other), other, 204, ""},
		{"its retry", craneops(body), body, 200, ""},
	})
}

// TestVariantUnderAKnownOccurrence sends an event of its own whose occurrence
// is still known after the content that it conflicted with was evicted.
func TestVariantUnderAKnownOccurrence(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "mceasy", "on_conflict": "forward", "replay": map[string]any{"store": "memory", "size": 4}}, nil)
	at := testTime
	g.walk(t, []step{
		{"first", mceasy(at, "6", "job-1", body), body, 204, ""},
		{"one body as another event", mceasy(at, "6", "job-2", body), body, 204, ""},
		{"something else, which makes the first one go", mceasy(at, "6", "job-3", other), other, 204, ""},
		{"its retry", mceasy(at, "6", "job-2", body), body, 200, ""},
	})
}

// TestConflictOutlivesItsContent sends an event whose own entry still exists
// after the content that it conflicted with was evicted.
func TestConflictOutlivesItsContent(t *testing.T) {
	g := newGateway(t, map[string]any{"on_conflict": "forward", "replay": map[string]any{"store": "memory", "size": 2}}, nil)
	g.walk(t, []step{
		{"first", with(craneops(body), "X-Craneops-Event", "a"), body, 204, ""},
		{"one body as another event", with(craneops(body), "X-Craneops-Event", "b"), body, 204, ""},
		{"something else, which makes the first one go", craneops(other), other, 204, ""},
		{"its retry", with(craneops(body), "X-Craneops-Event", "b"), body, 200, ""},
		{"the first one, which is forgotten", with(craneops(body), "X-Craneops-Event", "a"), body, 204, ""},
	})
}

func TestKeyDelivery(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "cryptr", "replay": map[string]any{"store": "memory", "key": "delivery"}}, nil)
	g.walk(t, []step{
		{"first", cryptr(testTime, body), body, 204, ""},
		{"the same delivery", cryptr(testTime, body), body, 200, ""},
		{"signed anew", cryptr(testTime.Add(time.Second), body), body, 204, ""},
	})
	g.expectDelivered(t, body, body)
}

func TestReplayOff(t *testing.T) {
	g := newGateway(t, map[string]any{"replay": map[string]any{"store": "none"}}, nil)
	for range 3 {
		expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	}
	g.expectDelivered(t, body, body, body)
	if got := g.delivered(); got[0].header.Get("Webhook-Id") != got[2].header.Get("Webhook-Id") {
		t.Error("one delivery, several ids")
	}
}

// TestContentKeys compares with keys that were written down independently. They
// are a contract with applications that read Webhook-Id, and with histories
// that outlive an upgrade.
func TestContentKeys(t *testing.T) {
	for _, c := range []struct {
		scheme  string
		header  http.Header
		content string
	}{
		{"craneops", craneops(body), body},
		{"cryptr", cryptr(testTime, body), body},
		{"mceasy", mceasy(testTime, "6", "job", body), "6\x00" + body},
	} {
		g := newGateway(t, map[string]any{"scheme": c.scheme, "provider": "keys-" + c.scheme}, nil)
		expect(t, g.send(t, c.header, body), http.StatusNoContent, "")
		sum := sha256.Sum256([]byte("keys-" + c.scheme + "\x00" + c.content))
		want := fmt.Sprintf("sha256-%x", sum[:16])
		if got := g.delivered()[0].header.Get("Webhook-Id"); got != want {
			t.Errorf("%s: %s, want %s", c.scheme, got, want)
		}
	}
}

// brokenStore fails where it is told to.
type brokenStore struct {
	replay.Options
	Reserving, Settling, Opening bool
}

func init() { caddy.RegisterModule(brokenStore{}) }

func (brokenStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: replay.Namespace + ".test_broken", New: func() caddy.Module { return new(brokenStore) }}
}

var errStore = errors.New("the store is down")

func (b *brokenStore) Open(replay.OpenOptions) (replay.History, error) {
	if b.Opening {
		return nil, errStore
	}
	return b, nil
}

func (b *brokenStore) Reserve(context.Context, replay.Event) (replay.Reservation, replay.Status, error) {
	if b.Reserving {
		return nil, 0, errStore
	}
	return brokenReservation{b}, replay.Reserved, nil
}

func (b *brokenStore) Forget(context.Context, replay.Key) (replay.Status, error) {
	return 0, errStore
}

func (b *brokenStore) Close() error { return nil }

type brokenReservation struct{ *brokenStore }

func (b brokenReservation) Deliver(context.Context) error { return b.settle() }
func (b brokenReservation) Release(context.Context) error { return b.settle() }

func (b brokenReservation) settle() error {
	if b.Settling {
		return errStore
	}
	return nil
}

func TestStoreThatFails(t *testing.T) {
	for option, want := range map[string]int{"Opening": 503, "Reserving": 503, "Settling": 204} {
		t.Run(option, func(t *testing.T) {
			g := newGateway(t, map[string]any{"replay": map[string]any{"store": "test_broken", option: true}}, nil)
			a := g.send(t, craneops(body), body)
			if a.status != want {
				t.Fatalf("status %d, want %d", a.status, want)
			}
			if want == 503 {
				expect(t, a, 503, "rejected store_unavailable")
				if a.header.Get("Retry-After") != "30" || strings.Contains(a.header.Get("X-Message"), "down") {
					t.Errorf("headers %v", a.header)
				}
				g.expectDelivered(t)
			} else {
				g.expectDelivered(t, body)
			}
			if logged := fmt.Sprint(g.logs.All()); !strings.Contains(logged, errStore.Error()) {
				t.Errorf("log %s", logged)
			}
			if got := g.metrics(t); got[`replay_errors_total{store="test_broken"}`] != 1 {
				t.Errorf("metrics %v", got)
			}
		})
	}
}

// contextStore records the contexts that it is called with.
type contextStore struct {
	replay.Options
	AtOnce bool
}

func init() { caddy.RegisterModule(contextStore{}) }

func (contextStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: replay.Namespace + ".test_contexts", New: func() caddy.Module { return new(contextStore) }}
}

func (s *contextStore) Open(replay.OpenOptions) (replay.History, error) {
	seen.deadlines = nil
	if s.AtOnce {
		return atOnceHistory{}, nil
	}
	return contextHistory{}, nil
}

// seen records for each call of the history whether its context has a deadline,
// and whether it has ended with the sender.
var seen struct {
	deadlines []bool
	ended     bool
}

func noteContext(ctx context.Context) error {
	_, has := ctx.Deadline()
	seen.deadlines = append(seen.deadlines, has)
	seen.ended = seen.ended || ctx.Err() != nil
	return nil
}

type contextHistory struct{}

func (h contextHistory) Reserve(ctx context.Context, _ replay.Event) (replay.Reservation, replay.Status, error) {
	return h, replay.Reserved, noteContext(ctx)
}

func (contextHistory) Forget(context.Context, replay.Key) (replay.Status, error) {
	return replay.Unknown, nil
}

func (contextHistory) Close() error                      { return nil }
func (contextHistory) Deliver(ctx context.Context) error { return noteContext(ctx) }
func (contextHistory) Release(ctx context.Context) error { return noteContext(ctx) }

type atOnceHistory struct{ contextHistory }

func (atOnceHistory) AnswersAtOnce() {}

// TestDeadlineOfTheHistory checks that a history that may wait gets a deadline,
// that one that answers at once gets none, and that no call ends with the
// sender.
func TestDeadlineOfTheHistory(t *testing.T) {
	for _, atOnce := range []bool{false, true} {
		t.Run(fmt.Sprint(atOnce), func(t *testing.T) {
			g := newGateway(t, map[string]any{"replay": map[string]any{"store": "test_contexts", "AtOnce": atOnce}}, nil)
			ctx, leave := context.WithCancel(t.Context())
			r := requestOf(g.request(t, craneops(body), strings.NewReader(body)).WithContext(ctx))
			w := httptest.NewRecorder()
			err := g.handler.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
				leave()
				w.WriteHeader(http.StatusNoContent)
				return nil
			}))
			if err != nil || w.Code != http.StatusNoContent {
				t.Fatalf("status %d, %v", w.Code, err)
			}
			if want := []bool{!atOnce, !atOnce}; !slices.Equal(seen.deadlines, want) || seen.ended {
				t.Errorf("deadlines %v, want %v; ended with the sender: %v", seen.deadlines, want, seen.ended)
			}
		})
	}
}
