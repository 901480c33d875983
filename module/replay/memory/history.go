package memory

import (
	"sync"
	"time"

	"github.com/hooklatch/hooklatch/module/replay"
)

// history holds the events that are remembered under a label. Each
// configuration that uses it has a view with its own settings.
type history struct {
	mu sync.Mutex

	// reserved are the events that are being handled. They are not in a cache, so
	// they are never evicted.
	reserved replay.Held
	// delivered are the tenants' entries; without tenants there is one, of no name.
	delivered tenants

	// views are the open views, and size is the largest of their sizes: a
	// configuration that may yet fail to load does not shrink the history.
	views map[*view]struct{}
	size  int

	// began is the zero point of the entries' clock. Differences from it are
	// monotonic, so setting the machine's clock changes nothing.
	began time.Time

	evicted evictions
}

// entry is the record of a delivered event.
type entry struct {
	expires time.Duration // by the history's clock
	// mark is the fingerprint of the unsigned values for a content key, and the
	// beginning of the content key for an occurrence key.
	mark uint64
}

func newHistory(now time.Time) *history {
	return &history{reserved: replay.Held{}, delivered: newTenants(), views: map[*view]struct{}{}, began: now}
}

// join adds a view that is opened.
func (h *history) join(v *view) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.views[v] = struct{}{}
	h.size = max(h.size, v.size)
}

// leave removes a view that is closed. A smaller size takes effect with the next
// delivery.
func (h *history) leave(v *view) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.views, v)
	h.size = 0
	for open := range h.views {
		h.size = max(h.size, open.size)
	}
}

// reserve decides under one lock, so that only one of many callers gets the
// reservation. It returns the keys that it has reserved.
func (h *history) reserve(e replay.Event, now time.Time) (status replay.Status, held replay.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	clock := now.Sub(h.began)

	if h.reserved.Has(e.Content) {
		return replay.InFlight, held
	}
	if known, ok := h.get(e.Tenant, e.Content, clock); ok {
		if known.mark == e.Unsigned {
			return replay.Duplicate, held
		}
		return replay.ContentConflict, held
	}
	held = e
	if e.Occurrence != (replay.Key{}) {
		if h.reserved.Has(e.Occurrence) {
			return replay.InFlight, held
		}
		if known, ok := h.get(e.Tenant, e.Occurrence, clock); ok {
			if known.mark != e.Content.Mark() {
				return replay.OccurrenceConflict, held
			}
			// The entry of the content was evicted before this one: the event is no
			// longer remembered.
			held.Occurrence = replay.Key{}
		}
	}
	h.reserved.Add(held)
	return replay.Reserved, held
}

// get returns a delivered entry that has not expired, and marks it as used.
func (h *history) get(name string, key replay.Key, clock time.Duration) (known entry, ok bool) {
	t := h.delivered.of(name)
	if t == nil {
		return entry{}, false
	}
	known, ok = t.entries.Get(key)
	if ok && known.expires <= clock {
		h.delivered.remove(t, key)
		return entry{}, false
	}
	return known, ok
}

// release forgets that an event is being handled.
func (h *history) release(held replay.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reserved.Remove(held)
}

// deliver turns a reservation into entries. If the history is full, it evicts the
// least recently used ones of the tenant that has most. It returns what was lost
// before it expired.
func (h *history) deliver(r *reservation, now time.Time) (lost loss) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, e := r.view, r.event
	clock := now.Sub(h.began)
	expires := clock + v.ttl
	h.reserved.Remove(r.held)
	h.delivered.add(e.Tenant, e.Content, entry{expires, e.Unsigned})
	if e.Occurrence != (replay.Key{}) {
		h.delivered.add(e.Tenant, e.Occurrence, entry{expires, e.Content.Mark()})
	}
	for h.delivered.count > h.size {
		oldest := h.delivered.removeOldest()
		if left := oldest.expires - clock; left > 0 {
			lost.entries++
			lost.left = max(lost.left, left)
		}
	}
	lost.size = h.size
	return lost
}

// loss describes entries that were evicted before they expired.
type loss struct {
	entries int
	left    time.Duration // the longest time that any of them had left
	size    int           // of the history that had no room for them
}

// forget removes a delivered event and its occurrence, which it finds by the
// mark of the content. It visits every entry. That is acceptable for a command
// of the operator; a reference would take 16 more bytes in each entry.
func (h *history) forget(content replay.Key, now time.Time) replay.Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reserved.Has(content) {
		return replay.InFlight
	}
	for name, t := range h.delivered.byName {
		if _, ok := h.get(name, content, now.Sub(h.began)); !ok {
			continue
		}
		h.delivered.remove(t, content)
		for _, key := range t.entries.Keys() {
			if known, _ := t.entries.Peek(key); known.mark == content.Mark() {
				h.delivered.remove(t, key)
			}
		}
		return replay.Forgotten
	}
	return replay.Unknown
}

// kept counts the delivered entries.
func (h *history) kept() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.delivered.count
}

// Destruct is called when the pool drops the history. There is nothing to
// close.
func (h *history) Destruct() error { return nil }
