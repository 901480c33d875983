package boltfile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"
)

// Write is something to do in the next transaction.
type Write struct {
	apply func(*bbolt.Tx) error
	// Written is called once the transaction has ended, and again with every
	// later attempt. It may be nil.
	Written func(error)
	// Again means that it is tried until it works.
	Again bool
	// done is closed after the first attempt, and err is its outcome.
	done chan struct{}
	err  error
}

// NewWrite makes a write of what a transaction shall do.
func NewWrite(apply func(*bbolt.Tx) error) *Write {
	return &Write{apply: apply, done: make(chan struct{})}
}

// Wait returns the outcome. If ctx ends first, the write goes on by itself.
func (w *Write) Wait(ctx context.Context) error {
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// trouble is why the file cannot be written.
type trouble struct{ err error }

// ProbeEvery is how often a file that cannot be written is tried, while
// deliveries come.
const ProbeEvery = time.Second

// Enqueue hands a write to the writer.
func (f *File) Enqueue(w *Write) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, w)
	f.signal()
}

func (f *File) signal() {
	select {
	case f.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// run is the writer. What has gathered while a transaction was being written
// is the next one: a single delivery does not wait, and many share the
// syncing of the disk.
func (f *File) run() {
	defer close(f.stopped)
	for range f.wake {
		f.mu.Lock()
		queue, closing := f.queue, f.closing
		f.queue = nil
		f.mu.Unlock()
		if len(queue) > 0 || closing && len(f.unwritten) > 0 {
			f.turn(queue)
		}
		if closing {
			return
		}
	}
}

// turn writes what could not be written before and what is new.
func (f *File) turn(queue []*Write) {
	batch := append(f.unwritten, queue...)
	err := f.commit(batch)
	if err != nil {
		f.report(err)
	}
	f.unwritten = nil
	for _, w := range batch {
		if w.Written != nil {
			w.Written(err)
		}
		if err != nil && w.Again {
			f.unwritten = append(f.unwritten, w)
		}
	}
	if err == nil {
		f.report(nil) // only now: what was written is known to be
	}
	for _, w := range queue {
		w.err = err
		close(w.done)
	}
}

// commit returns once everything is on the disk. A panic leaves bbolt with its
// locks held, so that nothing more is written then.
func (f *File) commit(batch []*Write) error {
	if t := f.broken.Load(); t != nil && IsDamage(t.err) {
		return t.err
	}
	return guarded(func() error {
		return f.db.Update(func(tx *bbolt.Tx) error {
			for _, w := range batch {
				if err := w.apply(tx); err != nil {
					return err
				}
			}
			return f.options.Finish(tx, len(batch))
		})
	})
}

// report remembers the outcome of a transaction, and tells the operator when it
// is another one than before.
func (f *File) report(err error) {
	before := f.broken.Load()
	switch {
	case before != nil && IsDamage(before.err): // until the file is opened again
	case err != nil:
		f.lastAttempt.Store(new(f.options.Now()))
		f.broken.Store(&trouble{err})
		if before == nil {
			f.options.Logger().Error(f.options.name()+" cannot be written; "+f.options.Consequence+" until it can be",
				zap.String("path", f.path), zap.Error(err))
		}
	case before != nil:
		f.broken.Store(nil)
		f.options.Logger().Info(f.options.name()+" can be written again", zap.String("path", f.path))
	}
}

// Writable is an error while the last attempt to write has failed.
func (f *File) Writable() error {
	if t := f.broken.Load(); t != nil {
		return fmt.Errorf("%s cannot be written: %w", f.path, t.err)
	}
	return nil
}

// Probe tries to write a file that could not be written, now and then. What
// came before is written with it, so that a disk that has room for nothing else
// does not pass for a good one.
func (f *File) Probe(ctx context.Context) {
	t := f.broken.Load()
	if t == nil || IsDamage(t.err) {
		return
	}
	now, last := f.options.Now(), f.lastAttempt.Load()
	if since := now.Sub(*last); since >= 0 && since < ProbeEvery || !f.lastAttempt.CompareAndSwap(last, &now) {
		return
	}
	w := NewWrite(func(*bbolt.Tx) error { return nil })
	f.Enqueue(w)
	_ = w.Wait(ctx) // Writable returns the outcome
}

// IsDamage reports whether an error says that a file's content cannot be right.
func IsDamage(err error) bool {
	var d *Damage
	return errors.As(err, &d)
}

// Read runs a transaction that only reads.
func (f *File) Read(do func(*bbolt.Tx) error) error {
	if t := f.broken.Load(); t != nil && IsDamage(t.err) {
		return t.err
	}
	err := guarded(func() error { return f.db.View(do) })
	if IsDamage(err) {
		f.report(err)
	}
	return err
}
