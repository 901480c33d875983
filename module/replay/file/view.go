package file

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
)

// view is a history with the settings of one configuration.
type view struct {
	history *history
	path    string
	ttl     time.Duration
	closing sync.Once
}

// Reserve looks the event up in the file. It fails while the file cannot be
// written, because an event that it let through could not be recorded. Events
// that the file has are still answered.
func (v *view) Reserve(ctx context.Context, e replay.Event) (replay.Reservation, replay.Status, error) {
	v.history.database.Probe(ctx)
	status, err := v.history.reserve(e)
	if err != nil || status != replay.Reserved {
		return nil, status, err
	}
	return &reservation{view: v, event: e}, replay.Reserved, nil
}

// Forget removes the event from the file.
func (v *view) Forget(ctx context.Context, content replay.Key) (replay.Status, error) {
	v.history.database.Probe(ctx)
	return v.history.forget(ctx, content)
}

// Entries returns the number of entries in the file, or false if it cannot be
// read.
func (v *view) Entries() (n int, known bool) {
	n, err := v.history.entries()
	return n, err == nil
}

// Close releases this configuration's share in the file.
func (v *view) Close() (err error) {
	v.closing.Do(func() { _, err = boltfile.Files.Delete(v.path) })
	return err
}

type reservation struct {
	view    *view
	event   replay.Event
	settled atomic.Bool
}

// Deliver returns once the event is on the disk. If it fails, the event is
// still remembered while the process lives, and written as soon as that works.
func (r *reservation) Deliver(ctx context.Context) error {
	if r.settled.Swap(true) {
		return nil
	}
	v := r.view
	w := v.history.delivery(r.event, v.ttl)
	v.history.database.Enqueue(w)
	return w.Wait(ctx) // if that ends early, the writer goes on, and closing waits for it
}

// Release never fails, because reservations are in memory only.
func (r *reservation) Release(context.Context) error {
	if r.settled.Swap(true) {
		return nil
	}
	r.view.history.release(r.event)
	return nil
}

// Interface guards
var (
	_ replay.History      = (*view)(nil)
	_ replay.EntryCounter = (*view)(nil)
	_ replay.Reservation  = (*reservation)(nil)
)
