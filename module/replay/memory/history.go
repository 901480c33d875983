package memory

import (
	"sync"
	"time"

	"github.com/hooklatch/hooklatch/module/replay"
)

// history is what is remembered under a label. The settings of the
// configurations that use it are in their views of it.
type history struct {
	mu sync.Mutex

	entries table

	// size is that of the newest view that has delivered anything: neither a
	// configuration that fails to load may shrink the history, nor a request that
	// began under the one before.
	size  int
	sized int // the order of that view
	views int // that were opened

	// began is where the clock of the entries starts. Differences to it are
	// monotonic, so setting the clock of the machine changes nothing.
	began time.Time

	evicted evictions
}

func newHistory(now time.Time) *history { return &history{began: now} }

// join gives the order of a view that is opened.
func (h *history) join() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.views++
	return h.views
}

// reserve decides under one lock, so that one of many callers is first. It tells
// whether the occurrence is reserved too.
func (h *history) reserve(e replay.Event, now time.Time) (status replay.Status, withOccurrence bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	clock := now.Sub(h.began)

	if known := h.get(e.Content, clock); known != nil {
		switch {
		case known.expires == 0:
			return replay.InFlight, false
		case known.mark == e.Unsigned:
			return replay.Duplicate, false
		}
		return replay.ContentConflict, false
	}
	withOccurrence = e.Occurrence != (replay.Key{})
	if withOccurrence {
		if known := h.get(e.Occurrence, clock); known != nil {
			switch {
			case known.expires == 0:
				return replay.InFlight, false
			case known.mark != e.Content.Mark():
				return replay.OccurrenceConflict, false
			}
			// The content's own entry made room before this one did: the event is
			// simply not remembered.
			withOccurrence = false
		}
	}
	h.entries.reserve(e.Content)
	if withOccurrence {
		h.entries.reserve(e.Occurrence)
	}
	return replay.Reserved, withOccurrence
}

// get finds an entry that is reserved, or delivered and not expired.
func (h *history) get(key replay.Key, clock time.Duration) *record {
	known := h.entries.find(key)
	switch {
	case known == nil || known.expires == 0:
		return known
	case known.expires <= clock:
		h.entries.remove(key)
		return nil
	}
	h.entries.touch(key)
	return known
}

// release forgets that an event is being handled, under the keys that were
// reserved for it.
func (h *history) release(e replay.Event, withOccurrence bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	keys := []replay.Key{e.Content}
	if withOccurrence {
		keys = append(keys, e.Occurrence)
	}
	for _, key := range keys {
		if known := h.entries.find(key); known != nil && known.expires == 0 {
			h.entries.remove(key)
		}
	}
}

// deliver turns what was reserved under a view into entries, makes room for
// them, and says what went that had not expired.
func (h *history) deliver(e replay.Event, now time.Time, v *view) (lost loss) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v.order >= h.sized {
		h.size, h.sized = v.size, v.order
	}
	ttl := v.ttl
	clock := now.Sub(h.began)
	h.entries.deliver(e.Content, clock+ttl, e.Unsigned)
	if e.Occurrence != (replay.Key{}) {
		h.entries.deliver(e.Occurrence, clock+ttl, e.Content.Mark())
	}
	for h.entries.delivered > h.size {
		oldest := h.entries.at(h.entries.oldest)
		if oldest.expires > clock {
			lost.entries++
			lost.left = max(lost.left, oldest.expires-clock)
		}
		h.entries.remove(oldest.key)
	}
	lost.size = h.size
	return lost
}

// loss is what made room before it expired.
type loss struct {
	entries int
	left    time.Duration // the longest time that one of them still had
	size    int           // for which there was no room
}

// forget removes a delivered event and its occurrence, which is found by the
// mark that it keeps of the content: a look at every entry, for something that
// operators do by hand, rather than 16 more bytes in each.
func (h *history) forget(content replay.Key, now time.Time) replay.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.get(content, now.Sub(h.began))
	switch {
	case known == nil:
		return replay.Unknown
	case known.expires == 0:
		return replay.InFlight
	}
	h.entries.remove(content)
	h.entries.removeMarked(content.Mark())
	return replay.Forgotten
}

// kept counts what is delivered and still there.
func (h *history) kept() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.entries.delivered
}

// Destruct lets the pool drop the history; memory has nothing to close.
func (h *history) Destruct() error { return nil }
