package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// One goroutine for each history renews reservations and retries the writes
// that failed. Most deliveries end before their first renewal, and so cost
// nothing here.

// closedWithin is how long a closed history keeps trying to record deliveries:
// longer than a restart or a failover of Redis takes. It tries to release an
// event for one lease only, since the event is free after that.
const closedWithin = 5 * time.Minute

// maxRenewals is how many reservations are renewed or finished at once. The
// number is large, so that reservations on a cluster node that is down do not
// delay the others.
const maxRenewals = 256

// patience returns a context for calls that no request waits for.
func (h *history) patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), h.lease)
}

// lookEvery is the longest pause before failed writes are retried. Reservations
// are checked often enough that renewing one may fail twice before the lease is
// over.
const lookEvery = time.Second

// keep runs until the history is closed and the last reservation settled.
func (h *history) keep() {
	ticker := time.NewTicker(min(h.lease/6, lookEvery))
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

// look works on the reservations that are due.
func (h *history) look(now time.Time) {
	due := h.due(now)
	if len(due) == 0 {
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(maxRenewals, len(due)) {
		group.Go(func() {
			for i := next.Add(1); i <= int64(len(due)); i = next.Add(1) {
				h.attend(due[i-1])
			}
		})
	}
	group.Wait()
}

// due returns the reservations that need work, and drops those whose time is
// over.
func (h *history) due(now time.Time) (due []*reservation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.reservations {
		switch {
		case r.attended > 0:
			continue
		case r.state == held && !r.foreign && now.Sub(r.seen) >= h.lease/3:
		case !r.undone:
			continue
		case r.state == released && now.Sub(r.settled) > h.lease,
			r.state == delivered && now.Sub(r.settled) > h.recordWithinLocked():
			if r.state == delivered {
				h.logger.Error("redis was away for too long to record a delivery; a replay of it would be forwarded", zap.String("provider", h.label))
			}
			h.dropLocked(r)
			continue
		}
		r.attended++
		due = append(due, r)
	}
	return due
}

// recordWithinLocked returns how long to keep trying to record a delivery that
// Redis missed: for its ttl, and once the history is closed for closedWithin at
// most. There are never many such deliveries, because new deliveries are not
// accepted without Redis.
func (h *history) recordWithinLocked() time.Duration {
	if h.closed {
		return min(closedWithin, h.ttl)
	}
	return h.ttl
}

// attend renews or finishes a reservation. If that fails, it is due again at
// the next look.
func (h *history) attend(r *reservation) {
	ctx, cancel := context.WithTimeout(context.Background(), max(h.timeout, leastPatience))
	defer cancel()
	client, err := h.conn.enter(ctx)
	if err != nil {
		r.leave()
		return
	}
	_ = h.conn.do(ctx, func() error {
		defer r.leave()
		began, renews := h.beginRenewal(r)
		if !renews {
			return r.finish(client)
		}
		ours, err := r.renew(client)
		h.endRenewal(r, began, ours, err)
		return err
	}, func(error) {})
}

// beginRenewal begins a renewal. It reports false if the reservation has been
// settled meanwhile.
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
