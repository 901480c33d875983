package redis

import (
	"context"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/hooklatch/hooklatch/module/replay"
)

// reservation is an event that is being handled, and the work that is left to
// do for it if Redis did not answer.
type reservation struct {
	history *history
	event   replay.Event
	owner   string // the value of its keys
	keys    []string

	// All below is guarded by the history's lock.
	state    state
	undone   bool      // the state is not in Redis yet; the renewer tries again
	attended int       // how many work on it: the renewer, the handler's end, Forget
	renewing bool      // a renewal is in progress
	foreign  bool      // another gateway has it now
	seen     time.Time // when it was claimed or renewed the last time
	settled  time.Time
}

// state is the state that Redis should have of a reservation.
type state int

const (
	claimed   state = iota // Redis is being asked
	held                   // ours
	delivered              // to be recorded
	released               // to be removed
)

// claim asks Redis for the event, content first. If the event is not reserved
// in the end, no key remains.
func (r *reservation) claim(client rueidis.Client) (replay.Status, error) {
	ctx, cancel := r.history.patience()
	defer cancel()
	status, err := r.take(ctx, client)
	switch {
	case err == nil && status == replay.Reserved:
	case len(r.keys) == 0:
		r.history.drop(r)
	case err != nil && !isRedisError(err):
		// It is not known whether Redis has it, so the renewer removes it.
		r.settle(released)
		r.postpone()
	default:
		r.discard(client)
	}
	return status, err
}

// discard releases a reservation that its handler will not settle.
func (r *reservation) discard(client rueidis.Client) {
	r.settle(released)
	if err := r.finish(client); err != nil {
		r.postpone()
	}
}

func (r *reservation) take(ctx context.Context, client rueidis.Client) (replay.Status, error) {
	h, e := r.history, r.event
	there, value, err := r.set(ctx, client, h.contentKey(e.Content))
	switch {
	case err != nil:
		return 0, err
	case there && isReserved(value):
		return replay.InFlight, nil
	case there:
		unsigned, _, err := readContent(value)
		if err == nil && unsigned != hexed(e.Unsigned) {
			return replay.ContentConflict, nil
		}
		return replay.Duplicate, err
	case e.Occurrence == (replay.Key{}):
		return replay.Reserved, nil
	}
	there, value, err = r.set(ctx, client, h.occurrenceKey(e.Occurrence))
	switch {
	case err != nil:
		return 0, err
	case there && isReserved(value):
		return replay.InFlight, nil
	case there && value != deliveredOccurrence(e.Content):
		return replay.OccurrenceConflict, nil
	}
	// The occurrence has the same content, whose own entry is gone: the event is
	// simply no longer remembered.
	return replay.Reserved, nil
}

// set reserves a key, or returns the value that it already has. Once the
// command has been sent, the key counts as ours until the answer shows that it
// is not.
func (r *reservation) set(ctx context.Context, client rueidis.Client, key string) (there bool, value string, err error) {
	r.keys = append(r.keys, key)
	results := send(ctx, client, func(b rueidis.Builder) rueidis.Commands {
		return rueidis.Commands{b.Set().Key(key).Value(r.owner).Nx().Get().Px(r.history.lease).Build()}
	})
	value, err = results[0].ToString()
	switch {
	case rueidis.IsRedisNil(err):
		return false, "", nil
	case err == nil && value == r.owner: // sent twice
		return false, "", nil
	case err == nil || isRedisError(err):
		r.keys = slices.DeleteFunc(r.keys, func(k string) bool { return k == key })
	}
	return err == nil, value, err
}

// isRedisError reports whether an error is an answer from Redis, as opposed to
// the lack of one.
func isRedisError(err error) bool {
	_, answered := rueidis.IsRedisErr(err)
	return answered
}

// Deliver returns an error within the timeout. The renewer keeps trying.
func (r *reservation) Deliver(ctx context.Context) error { return r.end(ctx, delivered) }

// Release returns an error within the timeout. The renewer keeps trying.
func (r *reservation) Release(ctx context.Context) error { return r.end(ctx, released) }

func (r *reservation) end(ctx context.Context, s state) error {
	if !r.settle(s) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.history.timeout)
	defer cancel()
	client, err := r.history.conn.enter(ctx)
	if err == nil {
		r.enter()
		err = r.history.conn.do(ctx, func() error {
			defer r.leave()
			return r.finish(client)
		}, func(error) {})
	}
	if err != nil {
		r.postpone()
	}
	return err
}

// settle sets the final state. It reports false if that has been set before.
func (r *reservation) settle(s state) bool {
	h := r.history
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.state > held {
		return false
	}
	r.state, r.settled = s, h.now()
	if s == delivered {
		h.local.deliver(r)
	} else {
		h.local.remove(r)
	}
	return true
}

// enter and leave enclose work on the reservation that may still reach Redis.
func (r *reservation) enter() {
	r.history.mu.Lock()
	defer r.history.mu.Unlock()
	r.attended++
}

func (r *reservation) leave() {
	r.history.mu.Lock()
	defer r.history.mu.Unlock()
	r.attended--
}

// takeUnrecorded enters if the event was delivered, is not recorded, and no
// other goroutine works on it. Otherwise a record in progress could arrive
// after the caller's change.
func (r *reservation) takeUnrecorded() bool {
	h := r.history
	h.mu.Lock()
	defer h.mu.Unlock()
	_, kept := h.reservations[r]
	if !kept || r.state != delivered || !r.undone || r.attended > 0 {
		return false
	}
	r.attended++
	return true
}

// postpone leaves the rest to the renewer.
func (r *reservation) postpone() {
	r.history.mu.Lock()
	defer r.history.mu.Unlock()
	r.undone = true
}

// finish writes the final state to Redis.
func (r *reservation) finish(client rueidis.Client) error {
	h := r.history
	ctx, cancel := h.patience()
	defer cancel()
	h.mu.Lock()
	s, at := r.state, r.settled
	h.mu.Unlock()
	var err error
	if s == delivered {
		err = r.record(ctx, client, h.ttl-h.now().Sub(at))
	} else {
		err = r.remove(ctx, client)
	}
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if s == released && r.renewing {
		// The renewal may recreate the keys that were just removed.
		r.undone = true
		return nil
	}
	h.dropLocked(r)
	return nil
}

// record writes the delivered event, even if another gateway has reserved it by now.
func (r *reservation) record(ctx context.Context, client rueidis.Client, left time.Duration) error {
	h, e := r.history, r.event
	left = max(left, time.Millisecond)
	results := send(ctx, client, func(b rueidis.Builder) rueidis.Commands {
		commands := rueidis.Commands{b.Set().Key(h.contentKey(e.Content)).Value(deliveredContent(e)).Px(left).Build()}
		if e.Occurrence != (replay.Key{}) {
			commands = append(commands, b.Set().Key(h.occurrenceKey(e.Occurrence)).Value(deliveredOccurrence(e.Content)).Px(left).Build())
		}
		return commands
	})
	for _, result := range results {
		if err := result.Error(); err != nil {
			return err
		}
	}
	return nil
}

func (r *reservation) remove(ctx context.Context, client rueidis.Client) error {
	for _, key := range r.keys {
		if _, err := removeIf(ctx, client, key, r.owner); err != nil {
			return err
		}
	}
	return nil
}

// renew extends the keys, and recreates those that Redis has lost.
func (r *reservation) renew(client rueidis.Client) (ours bool, err error) {
	ctx, cancel := r.history.patience()
	defer cancel()
	for _, key := range r.keys {
		if ours, err = renew(ctx, client, key, r.owner, r.history.lease); err != nil || !ours {
			return false, err
		}
	}
	return true, nil
}

// unrecorded is the reservation of an event that Redis does not know.
type unrecorded struct{}

// Deliver does nothing.
func (unrecorded) Deliver(context.Context) error { return nil }

// Release does nothing.
func (unrecorded) Release(context.Context) error { return nil }

// Interface guards
var (
	_ replay.Reservation = (*reservation)(nil)
	_ replay.Reservation = unrecorded{}
)
