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

// outlived holds the delivered events of labels whose captures are kept for
// longer than their history remembers. Without it, rejudge would deliver a
// capture again although its retry was delivered long ago. It belongs to the
// process, as captures do.
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
	events, _ := simplelru.NewLRU[replay.Key, deliveredEvent](most, nil) // fails only if most is not above zero
	return &deliveredEvents{events: events}
}

func (e *deliveredEvents) add(event replay.Event, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events.Add(event.Content, deliveredEvent{event.Unsigned, at})
}

// forget removes an event and reports whether it was there.
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

// outlives reports whether captures with these settings are kept for longer
// than the history remembers delivered events.
func (s *sharedHistory) outlives(settings deliveries.Capturing) bool {
	return settings.For > s.ttl && s.settings["store"] != storeNone
}

// noteDelivered remembers a delivered event if captures outlive the history.
func (s *sharedHistory) noteDelivered(event replay.Event) {
	if s.outlived {
		outlived.add(event, s.handler.now())
	}
}

// wasDelivered reports whether the event of a capture was delivered, even if
// the history has forgotten it. A delivery longer before the capture than the
// history remembers was another event with the same content.
func (h *Handler) wasDelivered(d *delivery) bool {
	since := d.again.ReceivedAt.Add(-h.ttl)
	known, found := outlived.find(d.event.Content)
	if h.onConflict == ConflictForward && (!found || known.unsigned != d.event.Unsigned) {
		known, found = outlived.find(h.keyer.variant(d.owner(), d.event.Content, d.event.Unsigned))
	}
	return found && !known.at.Before(since)
}
