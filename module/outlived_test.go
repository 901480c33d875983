package module

import (
	"net/http"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/replay"
)

// TestWasDelivered checks that a delivery belongs to the event of a capture if
// it was at most the history's ttl before the capture, or at any time after it.
// Other unsigned values make another event only if they are forwarded as one.
func TestWasDelivered(t *testing.T) {
	const ttl = 10 * time.Minute
	for _, c := range []struct {
		name      string
		delivered time.Time
		received  time.Time
		forward   bool
		unsigned  uint64 // of the capture; the delivered one has 1
		want      bool
	}{
		{"delivered after it came", testTime.Add(100 * time.Hour), testTime, false, 1, true},
		{"shortly before", testTime, testTime.Add(ttl), false, 1, true},
		{"long before", testTime, testTime.Add(ttl + 1), false, 1, false},
		{"other unsigned values", testTime, testTime, false, 2, true},
		{"the same, forwarded", testTime, testTime, true, 1, true},
		{"other unsigned values, forwarded", testTime, testTime, true, 2, false},
	} {
		onConflict := ConflictReject
		if c.forward {
			onConflict = ConflictForward
		}
		h := newGateway(t, map[string]any{
			"on_conflict": onConflict, "capture": map[string]any{},
			"replay": map[string]any{"store": "memory", "ttl": ttl.String()},
		}, nil).handler
		if !h.history.outlived {
			t.Fatal("nothing is remembered")
		}
		content := keyOf([]byte(c.name))
		outlived.add(replay.Event{Content: content, Unsigned: 1}, c.delivered)
		d := &delivery{handler: h, event: replay.Event{Content: content, Unsigned: c.unsigned}, again: &inbox.Entry{ReceivedAt: c.received}}
		if got := h.wasDelivered(d); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestNothingOutlives checks that nothing is remembered if the history
// remembers for long enough, or not at all.
func TestNothingOutlives(t *testing.T) {
	for _, history := range []map[string]any{{"store": "memory"}, {"store": "none"}} {
		g := newGateway(t, map[string]any{"capture": map[string]any{"for": "1h"}, "replay": history}, nil)
		expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
		if g.handler.history.outlived {
			t.Errorf("%v: events are remembered twice", history)
		}
	}
}

// TestDeliveredEventsAreBounded checks that the oldest events are dropped.
func TestDeliveredEventsAreBounded(t *testing.T) {
	e := newDeliveredEvents(2)
	for i := range 3 {
		e.add(replay.Event{Content: replay.Key{byte(i)}}, testTime)
	}
	for i, want := range []bool{false, true, true} {
		if _, found := e.find(replay.Key{byte(i)}); found != want {
			t.Errorf("%d: found %v", i, found)
		}
	}
}
