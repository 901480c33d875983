package file

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
)

// view is a history with the settings of one configuration.
type view struct {
	history *history
	path    string
	ttl     time.Duration
	logger  *zap.Logger

	// The file stays open until the view is closed and its last reservation
	// settled: a handler may end after its configuration has been replaced.
	mu     sync.Mutex
	closed bool
	users  int
}

var errClosed = errors.New("the replay file has been closed with its configuration")

// Reserve looks into the file. It fails while the file cannot be written, since
// what it let through could not be recorded; what is known is answered still.
func (v *view) Reserve(ctx context.Context, e replay.Event) (replay.Reservation, replay.Status, error) {
	if !v.enter() {
		return nil, 0, errClosed
	}
	v.history.database.probe(ctx)
	status, err := v.history.reserve(e)
	if err != nil || status != replay.Reserved {
		v.leave()
		return nil, status, err
	}
	return &reservation{view: v, event: e}, replay.Reserved, nil
}

// Forget takes the event out of the file.
func (v *view) Forget(ctx context.Context, content replay.Key) (replay.Status, error) {
	if !v.enter() {
		return 0, errClosed
	}
	defer v.leave()
	v.history.database.probe(ctx)
	return v.history.forget(ctx, content)
}

// Entries counts what is in the file, if that can be read.
func (v *view) Entries() (n int, known bool) {
	if !v.enter() {
		return 0, false
	}
	defer v.leave()
	n, err := v.history.entries()
	return n, err == nil
}

// Close gives back this configuration's share in the file.
func (v *view) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	return v.giveBackIfUnused()
}

func (v *view) enter() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return false
	}
	v.users++
	return true
}

func (v *view) leave() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.users--
	if err := v.giveBackIfUnused(); err != nil {
		v.logger.Error("closing replay file", zap.String("path", v.path), zap.Error(err))
	}
}

func (v *view) giveBackIfUnused() error {
	if !v.closed || v.users > 0 {
		return nil
	}
	_, err := databases.Delete(v.path)
	return err
}

type reservation struct {
	view    *view
	event   replay.Event
	settled atomic.Bool
}

// Deliver returns once the event is on the disk. On an error the event is
// remembered all the same for as long as the process lives, and written as soon
// as that works.
func (r *reservation) Deliver(ctx context.Context) error {
	if r.settled.Swap(true) {
		return nil
	}
	v := r.view
	w := v.history.delivery(r.event, v.ttl)
	v.history.database.enqueue(w)
	defer func() {
		select {
		case <-w.done:
			v.leave()
		default: // it is being written, and the file must stay open for it
			go func() {
				<-w.done
				v.leave()
			}()
		}
	}()
	return w.wait(ctx)
}

// Release never fails: what is reserved is in memory only.
func (r *reservation) Release(context.Context) error {
	if r.settled.Swap(true) {
		return nil
	}
	r.view.history.release(r.event)
	r.view.leave()
	return nil
}

// Interface guards
var (
	_ replay.History     = (*view)(nil)
	_ replay.Measured    = (*view)(nil)
	_ replay.Reservation = (*reservation)(nil)
)
