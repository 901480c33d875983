package boltfile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"
)

// Write is a change to make in the next transaction.
type Write struct {
	apply func(*bbolt.Tx) error
	// Written is called once the transaction has ended, and again with every
	// later attempt. It may be nil.
	Written func(error)
	// Again means that the write is repeated until it works.
	Again bool
	// Grows means that the write needs more room. On a full disk, only such writes
	// fail if the file has a reserve.
	Grows bool

	// done is closed after the first attempt, and err is its outcome.
	done  chan struct{}
	tried bool
	err   error
}

// NewWrite returns a write that calls apply in a transaction.
func NewWrite(apply func(*bbolt.Tx) error) *Write {
	return &Write{apply: apply, done: make(chan struct{})}
}

// Wait waits for the first attempt and returns its outcome. If ctx ends first,
// Wait returns and the write continues.
func (w *Write) Wait(ctx context.Context) error {
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// trouble is the reason why the file cannot be written.
type trouble struct {
	err        error
	onlyGrowth bool // writes that do not grow still work
}

// ProbeEvery is how often a write is tried on a file that cannot be written,
// while deliveries arrive.
const ProbeEvery = time.Second

// errClosed is the outcome of a write that comes after its file was closed.
var errClosed = errors.New("the file has been closed")

// Enqueue passes a write to the writer.
func (f *File) Enqueue(w *Write) {
	if !f.join(w) {
		w.end(errClosed)
		close(w.done)
	}
}

func (f *File) join(w *Write) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing {
		return false
	}
	f.queue = append(f.queue, w)
	f.signal()
	return true
}

func (f *File) signal() {
	select {
	case f.wake <- struct{}{}:
	default: // the writer has been woken already
	}
}

// run is the writer. All writes that arrive during one transaction go into the
// next one: a single delivery does not wait, and many share each sync of the
// disk.
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

// turn makes the writes that failed before and the new ones.
func (f *File) turn(queue []*Write) {
	batch := append(f.unwritten, queue...)
	f.unwritten = nil
	if err := f.reserve.fill(batch); err != nil {
		f.spare(batch, err)
	} else if err = f.commit(batch); IsFull(err) && f.reserve != nil {
		f.spare(batch, err)
	} else {
		f.settle(batch, err, slices.ContainsFunc(batch, grows), false)
	}
	for _, w := range queue {
		close(w.done)
	}
}

// spare handles a turn on a full disk: the growing writes fail, and the others
// may use the reserve.
func (f *File) spare(batch []*Write, full error) {
	growing, rest := divide(batch)
	f.settle(growing, full, true, true)
	if len(rest) == 0 {
		return
	}
	err := f.commit(rest)
	if IsFull(err) && f.reserve.open() {
		err = f.commit(rest)
	}
	f.settle(rest, err, false, false)
}

// settle tells the writes of a batch their outcome. It reports a failure before
// that, and success after that.
func (f *File) settle(batch []*Write, err error, growing, onlyGrowth bool) {
	if err != nil {
		f.report(err, growing, onlyGrowth)
	}
	f.end(batch, err)
	if err == nil {
		f.report(nil, growing, onlyGrowth)
	}
}

func grows(w *Write) bool { return w.Grows }

func divide(batch []*Write) (growing, rest []*Write) {
	for _, w := range batch {
		if w.Grows {
			growing = append(growing, w)
		} else {
			rest = append(rest, w)
		}
	}
	return growing, rest
}

// end tells writes their outcome, and keeps those that must not be lost.
func (f *File) end(batch []*Write, err error) {
	for _, w := range batch {
		w.end(err)
		if err != nil && w.Again {
			f.unwritten = append(f.unwritten, w)
		}
	}
}

func (w *Write) end(err error) {
	if w.Written != nil {
		w.Written(err)
	}
	if !w.tried {
		w.tried, w.err = true, err
	}
}

// commit writes a batch in one transaction and returns once it is on the disk.
// After a panic, bbolt still holds its locks, so nothing more is written.
func (f *File) commit(batch []*Write) error {
	if t := f.broken.Load(); t != nil && IsDamage(t.err) {
		return t.err
	}
	return guarded(func() error {
		if err := f.checkLength(); err != nil {
			return err
		}
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

// checkLength returns an error if the file was cut off while it is open. It
// must notice this before bbolt does: without a list of free pages on the disk,
// a transaction that fails makes bbolt read the whole file in a goroutine whose
// faults end the process.
func (f *File) checkLength() error {
	if !f.options.NoFreelistSync {
		return nil
	}
	info, err := f.file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return err
	}
	return f.db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return Wrong("it is cut short: %d of %d bytes are left", info.Size(), tx.Size())
		}
		return nil
	})
}

// report remembers the outcome of a transaction, and logs it when it has
// changed. A transaction without growing writes does not prove that there is
// room again.
func (f *File) report(err error, growing, onlyGrowth bool) {
	before := f.broken.Load()
	switch {
	case before != nil && IsDamage(before.err): // until the file is opened again
	case err != nil:
		f.lastAttempt.Store(new(f.options.Now()))
		f.broken.Store(&trouble{err, onlyGrowth})
		if before == nil {
			f.options.Logger().Error(f.options.name()+" cannot be written; "+f.options.Consequence+" until it can be",
				zap.String("path", f.path), zap.Error(err))
		}
	case before != nil && before.onlyGrowth && !growing:
	case before != nil:
		f.broken.Store(nil)
		f.options.Logger().Info(f.options.name()+" can be written again", zap.String("path", f.path))
	}
}

// Writable returns an error if the last attempt to write failed.
func (f *File) Writable() error {
	if t := f.broken.Load(); t != nil {
		return fmt.Errorf("%s cannot be written: %w", f.path, t.err)
	}
	return nil
}

// Changeable returns an error if the last attempt to write something that does
// not grow failed.
func (f *File) Changeable() error {
	if t := f.broken.Load(); t != nil && t.onlyGrowth {
		return nil
	}
	return f.Writable()
}

// Probe tries to write a file that could not be written, at most once every
// ProbeEvery. The writes that failed before are part of the attempt, so that a
// disk without room for them does not count as good.
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
	w.Grows = true
	f.Enqueue(w)
	_ = w.Wait(ctx) // Writable returns the outcome
}

// IsFull reports whether an error means that a disk has no room for this user.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// IsDamage reports whether an error means that a file's content is invalid.
func IsDamage(err error) bool {
	var d *Damage
	return errors.As(err, &d)
}

// Read runs a read-only transaction.
func (f *File) Read(do func(*bbolt.Tx) error) error {
	if t := f.broken.Load(); t != nil && IsDamage(t.err) {
		return t.err
	}
	err := guarded(func() error { return f.db.View(do) })
	if IsDamage(err) {
		f.report(err, false, false)
	}
	return err
}
