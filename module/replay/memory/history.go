package memory

import (
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/hooklatch/hooklatch/module/replay"
)

// history is what is remembered under a label. The settings of the
// configurations that use it are in their views of it.
type history struct {
	mu sync.Mutex

	// reserved is apart from the LRU: what is being handled is never evicted.
	reserved replay.Held

	// delivered has no size of its own: that is set per view, and a
	// configuration that fails to load must not shrink it.
	delivered *simplelru.LRU[replay.Key, entry]

	// began is where the clock of the entries starts. Differences to it are
	// monotonic, so setting the clock of the machine changes nothing.
	began time.Time

	evicted evictions
}

// entry is kept small; there may be millions.
type entry struct {
	expires time.Duration // since began
	// mark is the fingerprint of what was not signed for a content key, and
	// the beginning of the content key for an occurrence key.
	mark uint64
}

func newHistory(now time.Time) *history {
	lru, err := simplelru.NewLRU[replay.Key, entry](math.MaxInt, nil)
	if err != nil {
		panic(err) // only for a size that is not above zero
	}
	return &history{reserved: replay.Held{}, delivered: lru, began: now}
}

// reserve decides under one lock, so that one of many callers is first.
func (h *history) reserve(e replay.Event, now time.Time) replay.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	clock := now.Sub(h.began)

	if h.reserved.Has(e.Content) {
		return replay.InFlight
	}
	if known, ok := h.get(e.Content, clock); ok {
		if known.mark == e.Unsigned {
			return replay.Duplicate
		}
		return replay.ContentConflict
	}
	if e.Occurrence != (replay.Key{}) {
		if h.reserved.Has(e.Occurrence) {
			return replay.InFlight
		}
		// The same content under it means that the content's own entry made
		// room before this one did: the event is simply not remembered.
		if known, ok := h.get(e.Occurrence, clock); ok && known.mark != e.Content.Mark() {
			return replay.OccurrenceConflict
		}
	}
	h.reserved.Add(e)
	return replay.Reserved
}

// get finds a delivered entry that has not expired.
func (h *history) get(key replay.Key, clock time.Duration) (entry, bool) {
	known, ok := h.delivered.Get(key)
	if ok && known.expires <= clock {
		h.delivered.Remove(key)
		return entry{}, false
	}
	return known, ok
}

// release forgets that an event is being handled.
func (h *history) release(e replay.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reserved.Remove(e)
}

// deliver turns what was reserved into entries, makes room for them, and says
// how many entries went that had not expired, and how long they still had.
func (h *history) deliver(e replay.Event, now time.Time, ttl time.Duration, size int) (lost int, left time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	clock := now.Sub(h.began)
	h.reserved.Remove(e)
	h.delivered.Add(e.Content, entry{expires: clock + ttl, mark: e.Unsigned})
	if e.Occurrence != (replay.Key{}) {
		h.delivered.Add(e.Occurrence, entry{expires: clock + ttl, mark: e.Content.Mark()})
	}
	for h.delivered.Len() > size {
		if _, oldest, _ := h.delivered.RemoveOldest(); oldest.expires > clock {
			lost++
			left = max(left, oldest.expires-clock)
		}
	}
	return lost, left
}

// forget removes a delivered event and its occurrence, which is found by the
// mark that it keeps of the content: a look at every entry, for something that
// operators do by hand, rather than 16 more bytes in each.
func (h *history) forget(content replay.Key, now time.Time) replay.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reserved.Has(content) {
		return replay.InFlight
	}
	if _, ok := h.get(content, now.Sub(h.began)); !ok {
		return replay.Unknown
	}
	h.delivered.Remove(content)
	for _, key := range h.delivered.Keys() {
		if known, ok := h.delivered.Peek(key); ok && known.mark == content.Mark() {
			h.delivered.Remove(key)
		}
	}
	return replay.Forgotten
}

// Destruct lets the pool drop the history; memory has nothing to close.
func (h *history) Destruct() error { return nil }
