package memory

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
)

// view is a history with the settings of one configuration.
type view struct {
	history *history
	label   string
	size    int
	ttl     time.Duration
	now     func() time.Time
	logger  *zap.Logger
	evicted func(entries int) // may be nil
	closing sync.Once
}

// Reserve never fails.
func (v *view) Reserve(_ context.Context, e replay.Event) (replay.Reservation, replay.Status, error) {
	status, held := v.history.reserve(e, v.now())
	if status != replay.Reserved {
		return nil, status, nil
	}
	return &reservation{view: v, event: e, held: held}, replay.Reserved, nil
}

// Forget never fails.
func (v *view) Forget(_ context.Context, content replay.Key) (replay.Status, error) {
	return v.history.forget(content, v.now()), nil
}

// AnswersAtOnce declares that no method waits, except briefly for a lock.
func (v *view) AnswersAtOnce() {}

// Entries returns the number of delivered entries. It always knows it.
func (v *view) Entries() (n int, known bool) { return v.history.kept(), true }

// Close releases this configuration's share in the history.
func (v *view) Close() (err error) {
	v.closing.Do(func() {
		v.history.leave(v)
		_, err = histories.Delete(v.label)
	})
	return err
}

type reservation struct {
	view    *view
	event   replay.Event
	held    replay.Event // the keys of event that are reserved
	settled atomic.Bool
}

// Deliver never fails.
func (r *reservation) Deliver(context.Context) error {
	if r.settled.Swap(true) {
		return nil
	}
	v := r.view
	now := v.now()
	if lost := v.history.deliver(r, now); lost.entries > 0 {
		v.history.evicted.report(v, now, lost)
		if v.evicted != nil {
			v.evicted(lost.entries)
		}
	}
	return nil
}

// Release never fails.
func (r *reservation) Release(context.Context) error {
	if !r.settled.Swap(true) {
		r.view.history.release(r.held)
	}
	return nil
}

// evictions counts entries that were evicted before they expired, since replays
// of them could get through. It logs the count at most once a minute.
type evictions struct {
	mu       sync.Mutex
	unsaid   int
	left     time.Duration // the longest time that any of them had left
	lastSaid time.Time
}

const evictionsEvery = time.Minute

func (ev *evictions) report(v *view, now time.Time, lost loss) {
	ev.mu.Lock()
	defer ev.mu.Unlock()
	ev.unsaid += lost.entries
	ev.left = max(ev.left, lost.left)
	if !ev.lastSaid.IsZero() && now.Sub(ev.lastSaid) < evictionsEvery {
		return
	}
	v.logger.Warn("replay history is full; entries were dropped before they expired, and replays of them would be forwarded; set a larger size",
		zap.Int("size_needed", sizeNeeded(lost.size, v.ttl, ev.left)),
		zap.String("provider", v.label),
		zap.Int("dropped", ev.unsaid),
		zap.Int("size", lost.size),
		zap.Duration("ttl", v.ttl))
	ev.unsaid, ev.left, ev.lastSaid = 0, 0, now
}

// sizeNeeded returns the size that would hold the events of one ttl, if they
// keep arriving as fast as they filled this size.
func sizeNeeded(size int, ttl, left time.Duration) int {
	held := max(ttl-left, time.Second)
	return int(float64(size)*float64(ttl)/float64(held)) + 1
}

// Interface guards
var (
	_ replay.History      = (*view)(nil)
	_ replay.EntryCounter = (*view)(nil)
	_ replay.Immediate    = (*view)(nil)
	_ replay.Reservation  = (*reservation)(nil)
)
