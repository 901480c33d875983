package redis

import (
	"sync"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/replay"
)

// localReservations are the events of a label that this process itself knows:
// those that its handlers are handling, and those that were delivered and are
// not recorded yet. If Redis is unreachable for longer than the lease, it
// forgets a reservation. This process must not, or it would forward the event
// again.
type localReservations struct {
	id string // in localPool

	// The lock is the last to be taken; no other is taken under it.
	mu          sync.Mutex
	contents    map[replay.Key]*reservation
	occurrences map[replay.Key]*reservation
	delivered   map[*reservation]struct{} // the others are held or claimed
}

// localPool holds the reservations of each label while any history uses them,
// so that they survive a reload.
var localPool = caddy.NewUsagePool()

// acquireLocal returns the reservations of this process under the keys that
// begin with prefix. The caller releases them once. Unlike the connection, they
// stay the same when a reload changes the timeout or the password.
func (t *endpoint) acquireLocal(prefix string) *localReservations {
	id := t.place + " " + prefix
	shared, _, _ := localPool.LoadOrNew(id, func() (caddy.Destructor, error) { return newLocalReservations(id), nil })
	return shared.(*localReservations)
}

func newLocalReservations(id string) *localReservations {
	return &localReservations{
		id:          id,
		contents:    map[replay.Key]*reservation{},
		occurrences: map[replay.Key]*reservation{},
		delivered:   map[*reservation]struct{}{},
	}
}

// release undoes acquireLocal.
func (o *localReservations) release() { _, _ = localPool.Delete(o.id) }

// Destruct does nothing, because there is nothing to close.
func (o *localReservations) Destruct() error { return nil }

// claim adds a reservation that Redis is about to be asked for, unless a known
// reservation already gives the answer. It does both under one lock, so that
// only one of many callers asks Redis.
func (o *localReservations) claim(r *reservation) replay.Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := r.event
	if other, ok := o.contents[e.Content]; ok {
		switch {
		case !o.isDelivered(other):
			return replay.InFlight
		case other.event.Unsigned != e.Unsigned:
			return replay.ContentConflict
		}
		return replay.Duplicate
	}
	if e.Occurrence != (replay.Key{}) {
		// It is under other content; the same content would have been found above.
		if other, ok := o.occurrences[e.Occurrence]; ok {
			if !o.isDelivered(other) {
				return replay.InFlight
			}
			return replay.OccurrenceConflict
		}
		o.occurrences[e.Occurrence] = r
	}
	o.contents[e.Content] = r
	return replay.Reserved
}

func (o *localReservations) isDelivered(r *reservation) bool {
	_, ok := o.delivered[r]
	return ok
}

// deliver marks an event as delivered to the application.
func (o *localReservations) deliver(r *reservation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.contents[r.event.Content] == r {
		o.delivered[r] = struct{}{}
	}
}

// remove removes a reservation, but not another one under the same keys.
func (o *localReservations) remove(r *reservation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.delivered, r)
	if o.contents[r.event.Content] == r {
		delete(o.contents, r.event.Content)
	}
	if o.occurrences[r.event.Occurrence] == r {
		delete(o.occurrences, r.event.Occurrence)
	}
}

// find returns the reservation of a content, or nil.
func (o *localReservations) find(content replay.Key) *reservation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.contents[content]
}

// Interface guards
var _ caddy.Destructor = (*localReservations)(nil)
