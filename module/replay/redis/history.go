package redis

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
)

// history holds the events of a label, with the settings of one configuration.
type history struct {
	keys    string // the prefix of all keys
	label   string
	ttl     time.Duration
	timeout time.Duration
	lease   time.Duration
	forward bool // deliveries also if Redis fails
	now     func() time.Time
	logger  *zap.Logger
	failed  func() // may be nil
	conn    *conn
	local   *localReservations

	unrecorded logLimiter // deliveries let through because Redis failed
	taken      logLimiter // reservations that another gateway now holds

	mu           sync.Mutex
	reservations map[*reservation]struct{} // not settled yet, or not stored in Redis yet
	closed       bool
	ended        chan struct{} // closed when the history is closed and no reservation is left
}

// Reserve returns an error within the timeout, or with on_error forward a
// reservation that records nothing.
func (h *history) Reserve(ctx context.Context, e replay.Event) (replay.Reservation, replay.Status, error) {
	r, status, err := h.reserve(ctx, e)
	switch {
	case err != nil && h.forward:
		if h.failed != nil {
			h.failed()
		}
		if times, now := h.unrecorded.happened(h.now()); now {
			h.logger.Error("redis failed; deliveries are forwarded without a look at the history, and replays of them would be too",
				zap.String("provider", h.label), zap.Int("deliveries", times), zap.Error(err))
		}
		return unrecorded{}, replay.Reserved, nil
	case err != nil:
		return nil, 0, err
	case status != replay.Reserved:
		return nil, status, nil
	}
	return r, replay.Reserved, nil
}

// reserve asks Redis only if this process cannot answer by itself.
func (h *history) reserve(ctx context.Context, e replay.Event) (*reservation, replay.Status, error) {
	r := &reservation{history: h, event: e, owner: newOwner(), seen: h.now()}
	if status := h.local.claim(r); status != replay.Reserved {
		return nil, status, nil
	}
	status, err := h.ask(ctx, r)
	if err != nil || status != replay.Reserved {
		h.local.remove(r)
		return nil, status, err
	}
	return r, status, nil
}

func (h *history) ask(ctx context.Context, r *reservation) (replay.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	client, err := h.conn.enter(ctx)
	if err != nil {
		return 0, err
	}
	if !h.add(r) {
		h.conn.leave()
		return 0, errors.New("redis: the history is closed")
	}
	var status replay.Status
	err = h.conn.do(ctx, func() (err error) {
		status, err = r.claim(client)
		return err
	}, func(err error) {
		// The sender has been told to try again.
		if err == nil && status == replay.Reserved {
			r.discard(client)
		}
	})
	if err != nil {
		return 0, err
	}
	if status == replay.Reserved {
		h.hold(r)
	}
	return status, nil
}

// Forget removes the occurrence first. If the rest then fails, the event is
// still known, and the next attempt finds it. An event that this process has
// delivered and not recorded yet will not be recorded any more.
func (h *history) Forget(ctx context.Context, content replay.Key) (replay.Status, error) {
	mine := h.local.find(content)
	if mine != nil && !mine.takeUnrecorded() {
		return replay.InFlight, nil
	}
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	client, err := h.conn.enter(ctx)
	if err != nil {
		if mine != nil {
			mine.leave()
		}
		return 0, err
	}
	var status replay.Status
	err = h.conn.do(ctx, func() (err error) {
		if mine != nil {
			defer mine.leave()
			status, err = h.forgetUnrecorded(ctx, client, mine)
			return err
		}
		status, err = h.forget(ctx, client, content)
		return err
	}, func(error) {})
	if err != nil {
		return 0, err
	}
	return status, nil
}

func (h *history) forget(ctx context.Context, client rueidis.Client, content replay.Key) (replay.Status, error) {
	key := h.contentKey(content)
	for ctx.Err() == nil {
		value, err := client.Do(ctx, client.B().Get().Key(key).Build()).ToString()
		switch {
		case rueidis.IsRedisNil(err):
			return replay.Unknown, nil
		case err != nil:
			return 0, err
		case isReserved(value):
			return replay.InFlight, nil
		}
		_, occurrence, err := readContent(value)
		if err != nil {
			return 0, err
		}
		if occurrence != (replay.Key{}) {
			if _, err := removeIf(ctx, client, h.occurrenceKey(occurrence), deliveredOccurrence(content)); err != nil {
				return 0, err
			}
		}
		// If the value has changed in between, read it again.
		if removed, err := removeIf(ctx, client, key, value); err != nil || removed {
			return replay.Forgotten, err
		}
	}
	return 0, ctx.Err()
}

// forgetUnrecorded removes the rest of the reservation, and anything that an
// attempt to record it may have written without an answer.
func (h *history) forgetUnrecorded(ctx context.Context, client rueidis.Client, r *reservation) (replay.Status, error) {
	if err := r.remove(ctx, client); err != nil {
		return 0, err
	}
	e := r.event
	if e.Occurrence != (replay.Key{}) {
		if _, err := removeIf(ctx, client, h.occurrenceKey(e.Occurrence), deliveredOccurrence(e.Content)); err != nil {
			return 0, err
		}
	}
	status, err := h.forget(ctx, client, e.Content)
	if err != nil || status == replay.InFlight { // another gateway has it
		return status, err
	}
	r.history.drop(r) // its history may be that of an older configuration
	return replay.Forgotten, nil
}

// Close ends the history when the last reservation has been settled. The
// connection stays open until then.
func (h *history) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.closed = true
		h.endIfDone()
	}
	return nil
}

// add keeps a reservation, unless the history is closed.
func (h *history) add(r *reservation) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.reservations[r] = struct{}{}
	return true
}

// hold marks the reservation as held, so that it is renewed from now on.
func (h *history) hold(r *reservation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.state = held
}

// drop removes a reservation that needs no more work.
func (h *history) drop(r *reservation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.dropLocked(r)
}

func (h *history) dropLocked(r *reservation) {
	if _, kept := h.reservations[r]; kept {
		delete(h.reservations, r)
		h.local.remove(r)
		h.endIfDone()
	}
}

// endIfDone ends a closed history that has no reservations left. It is called
// with the lock held.
func (h *history) endIfDone() {
	if h.closed && len(h.reservations) == 0 {
		close(h.ended)
		h.conn.release()
		h.local.release()
	}
}

// Interface guards
var _ replay.History = (*history)(nil)
