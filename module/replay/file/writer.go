package file

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
)

// write is something to do in the next transaction.
type write struct {
	apply func(*bbolt.Tx) error
	// written is called once the transaction has ended, and again with every
	// later attempt. It may be nil.
	written func(error)
	// again means that it is tried until it works.
	again bool
	// done is closed after the first attempt, and err is its outcome.
	done chan struct{}
	err  error
}

func newWrite(apply func(*bbolt.Tx) error) *write {
	return &write{apply: apply, done: make(chan struct{})}
}

// wait returns the outcome. If ctx ends first, the write goes on by itself.
func (w *write) wait(ctx context.Context) error {
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// trouble is why the file cannot be written.
type trouble struct{ err error }

// probeEvery is how often a file that cannot be written is tried, while
// deliveries come.
const probeEvery = time.Second

// enqueue hands a write to the writer.
func (d *database) enqueue(w *write) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, w)
	d.signal()
}

func (d *database) signal() {
	select {
	case d.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run is the writer. What has gathered while a transaction was being written
// is the next one: a single delivery does not wait, and many share the
// syncing of the disk.
func (d *database) run() {
	defer close(d.stopped)
	for range d.wake {
		d.mu.Lock()
		queue, closing := d.queue, d.closing
		d.queue = nil
		d.mu.Unlock()
		if len(queue) > 0 || closing && len(d.unwritten) > 0 {
			d.turn(queue)
		}
		if closing {
			return
		}
	}
}

// turn writes what could not be written before and what is new.
func (d *database) turn(queue []*write) {
	batch := append(d.unwritten, queue...)
	err := d.commit(batch)
	if err != nil {
		d.report(err)
	}
	d.unwritten = nil
	for _, w := range batch {
		if w.written != nil {
			w.written(err)
		}
		if err != nil && w.again {
			d.unwritten = append(d.unwritten, w)
		}
	}
	if err == nil {
		d.report(nil) // only now: what was written is known to be
	}
	for _, w := range queue {
		w.err = err
		close(w.done)
	}
}

// commit returns once everything is on the disk. A panic leaves bbolt with its
// locks held, so that nothing more is written then.
func (d *database) commit(batch []*write) error {
	if t := d.broken.Load(); t != nil && isDamage(t.err) {
		return t.err
	}
	return guarded(func() error {
		return d.db.Update(func(tx *bbolt.Tx) error {
			for _, w := range batch {
				if err := w.apply(tx); err != nil {
					return err
				}
			}
			if err := d.sweep(tx, sweepAtLeast+sweepPerWrite*len(batch)); err != nil {
				return err
			}
			return stamp(tx, d.clock.now())
		})
	})
}

// report remembers the outcome of a transaction, and tells the operator when it
// is another one than before.
func (d *database) report(err error) {
	before := d.broken.Load()
	switch {
	case before != nil && isDamage(before.err): // until the file is opened again
	case err != nil:
		d.lastAttempt.Store(new(d.clock.source()))
		d.broken.Store(&trouble{err})
		if before == nil {
			logger().Error("replay file cannot be written; new deliveries are refused with 503 until it can be",
				zap.String("path", d.path), zap.Error(err))
		}
	case before != nil:
		d.broken.Store(nil)
		logger().Info("replay file can be written again", zap.String("path", d.path))
	}
}

// logger is the running configuration's: the file outlives the one that opened
// it.
func logger() *zap.Logger { return caddy.Log().Named(replay.Namespace + ".file") }

// writable is an error while the last attempt to write has failed.
func (d *database) writable() error {
	if t := d.broken.Load(); t != nil {
		return fmt.Errorf("%s cannot be written: %w", d.path, t.err)
	}
	return nil
}

// probe tries to write a file that could not be written, now and then. What
// came before is written with it, so that a disk that has room for nothing else
// does not pass for a good one.
func (d *database) probe(ctx context.Context) {
	t := d.broken.Load()
	if t == nil || isDamage(t.err) {
		return
	}
	now, last := d.clock.source(), d.lastAttempt.Load()
	if since := now.Sub(*last); since >= 0 && since < probeEvery || !d.lastAttempt.CompareAndSwap(last, &now) {
		return
	}
	w := newWrite(func(*bbolt.Tx) error { return nil })
	d.enqueue(w)
	_ = w.wait(ctx) // writable returns the outcome
}

func isDamage(err error) bool {
	var d *damage
	return errors.As(err, &d)
}

// read runs a transaction that only reads.
func (d *database) read(f func(*bbolt.Tx) error) error {
	if t := d.broken.Load(); t != nil && isDamage(t.err) {
		return t.err
	}
	err := guarded(func() error { return d.db.View(f) })
	if isDamage(err) {
		d.report(err)
	}
	return err
}
