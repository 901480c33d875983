package module

import (
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/hooklatch/hooklatch/module/deliveries"
	"github.com/hooklatch/hooklatch/module/replay"
)

// maxOutlived is how many delivered events are remembered beyond their histories.
const maxOutlived = 100_000

// outlived has the delivered events of labels whose captures are kept for longer
// than their history remembers. Without it, rejudge would deliver a capture once
// more whose retry was delivered long ago. It is the process's, as captures are.
var outlived = newDeliveredEvents(maxOutlived)

// deliveredEvents remembers which events were delivered, and when.
type deliveredEvents struct {
	mu     sync.Mutex
	events *simplelru.LRU[replay.Key, deliveredEvent] // by content
}

type deliveredEvent struct {
	unsigned uint64
	at       time.Time
}

func newDeliveredEvents(most int) *deliveredEvents {
	events, _ := simplelru.NewLRU[replay.Key, deliveredEvent](most, nil) // it fails for no entries
	return &deliveredEvents{events: events}
}

func (e *deliveredEvents) add(event replay.Event, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events.Add(event.Content, deliveredEvent{event.Unsigned, at})
}

// forget reports whether the event was there.
func (e *deliveredEvents) forget(content replay.Key) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.events.Remove(content)
}

func (e *deliveredEvents) find(content replay.Key) (deliveredEvent, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.events.Peek(content)
}

// outlives reports whether captures with these settings are kept for longer than
// the history remembers what was delivered.
func (s *sharedHistory) outlives(settings deliveries.Capturing) bool {
	return settings.For > s.ttl && s.settings["store"] != storeNone
}

// noteDelivered remembers a delivered event where captures outlive the history.
func (s *sharedHistory) noteDelivered(event replay.Event) {
	if s.outlived {
		outlived.add(event, s.handler.now())
	}
}

// wasDelivered reports whether the event of a capture was delivered, though the
// history may have forgotten it. What was delivered longer before the capture
// than the history remembers was another event with the same content.
func (h *Handler) wasDelivered(d *delivery) bool {
	since := d.again.ReceivedAt.Add(-h.ttl)
	known, found := outlived.find(d.event.Content)
	if h.onConflict == ConflictForward && (!found || known.unsigned != d.event.Unsigned) {
		known, found = outlived.find(h.keyer.variant(d.owner(), d.event.Content, d.event.Unsigned))
	}
	return found && !known.at.Before(since)
}
