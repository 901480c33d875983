package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// One goroutine of a history renews what is being handled, and tries again
// what Redis did not take. Most deliveries end before their first renewal, and
// so cost nothing here.

// recordWithin is how long it tries to record what was delivered while Redis
// was away: longer than a restart or a failover takes. What is to be released
// is tried for a lease only, since it is free then.
const recordWithin = 5 * time.Minute

// hands is how many of them it does at once.
const hands = 32

// patience bounds what nobody waits for.
func (h *history) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), h.lease)
}

// keep runs until the history is closed and the last reservation settled. It
// looks often enough for a renewal to fail twice before the lease is over.
func (h *history) keep() {
	ticker := time.NewTicker(h.lease / 6)
	defer ticker.Stop()
	for {
		select {
		case <-h.ended:
			return
		case <-ticker.C:
			h.look(h.now())
		}
	}
}

// look does what is due.
func (h *history) look(now time.Time) {
	due := h.due(now)
	if len(due) == 0 {
		return
	}
	var next atomic.Int64
	var failed atomic.Bool // Redis is away: the rest has time until the next look
	var group sync.WaitGroup
	for range min(hands, len(due)) {
		group.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= len(due) {
					return
				}
				if err := h.attend(due[i]); err != nil && !isRedisError(err) {
					failed.Store(true)
				}
			}
		})
	}
	group.Wait()
}

// due lists what needs attention, and forgets what has outlived its time.
func (h *history) due(now time.Time) []*reservation {
	h.mu.Lock()
	defer h.mu.Unlock()
	var due []*reservation
	for r := range h.reservations {
		switch {
		case r.state == held && !r.foreign && now.Sub(r.seen) >= h.lease/3:
			due = append(due, r)
		case !r.undone:
		case r.state == released && now.Sub(r.settled) > h.lease,
			r.state == delivered && now.Sub(r.settled) > min(recordWithin, h.ttl):
			h.dropLocked(r)
		default:
			due = append(due, r)
		}
	}
	return due
}

// attend renews a reservation, or finishes it.
func (h *history) attend(r *reservation) error {
	ctx, cancel := context.WithTimeout(context.Background(), max(h.timeout, leastPatience))
	defer cancel()
	client, err := h.link.enter(ctx)
	if err != nil {
		return err
	}
	began, renews := h.beginRenewal(r)
	return h.link.do(ctx, func() error {
		if !renews {
			return r.finish(client)
		}
		ours := true
		for _, key := range r.keys {
			if ours, err = renew(ctx, client, key, r.owner, h.lease); err != nil || !ours {
				break
			}
		}
		h.endRenewal(r, began, ours, err)
		return err
	}, func(error) {})
}

// beginRenewal reports false if it has been settled by now.
func (h *history) beginRenewal(r *reservation) (began time.Time, renews bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.renewing = r.state == held
	return h.now(), r.renewing
}

func (h *history) endRenewal(r *reservation, began time.Time, ours bool, err error) {
	h.mu.Lock()
	r.renewing = false
	if err == nil {
		r.seen = began
	}
	r.foreign = err == nil && !ours && r.state == held
	foreign := r.foreign
	h.mu.Unlock()
	if !foreign {
		return
	}
	if times, now := h.taken.happened(h.now()); now {
		h.logger.Warn("the reservation of an event was lost while its handler runs, and somebody else has it; the application may get it twice",
			zap.String("provider", h.label), zap.Int("events", times), zap.Duration("lease", h.lease))
	}
}
