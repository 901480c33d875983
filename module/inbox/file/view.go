package file

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
)

// view is a drawer with the settings of one configuration.
type view struct {
	*drawer
	maxSize int64
	failed  func() // may be nil
	closing sync.Once
}

// Judge reads the file, if any entry waits.
func (v *view) Judge(e replay.Event) (replay.Status, error) { return v.judge(e) }

// placeOf decodes a key of the buckets waiting and dead.
func placeOf(key []byte) uint64 { return binary.BigEndian.Uint64(key) }

// Take claims the entry that has been due longest. It skips an entry that
// cannot be read.
func (v *view) Take() (inbox.Hold, bool, error) {
	v.box.Probe(context.Background())
	if err := v.box.Changeable(); err != nil {
		return nil, false, v.problem(err)
	}
	for {
		content, c, ok, err := v.take()
		if err != nil || !ok {
			return nil, false, err
		}
		h, e, err := v.load(content)
		if err == nil {
			return &hold{view: v, claim: c, head: h, entry: e}, true, nil
		}
		if errors.Is(err, inbox.ErrDamaged) {
			v.skip(content, err)
			v.fail()
			err = nil
		}
		v.end(content, c)
		if err != nil {
			return nil, false, err
		}
	}
}

func (v *view) fail() {
	if v.failed != nil {
		v.failed()
	}
}

// Next returns how long it is until an entry is due.
func (v *view) Next() (time.Duration, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found, wait, err := v.next()
	return time.Duration(wait) * time.Millisecond, err == nil && found != nil
}

// Hurry begins a walk through the entries that are due later.
func (v *view) Hurry() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.hurry = hurry{on: true, since: v.box.clocks.wall.now()}
}

// atOnce is how many entries one transaction of Expire or List handles.
const atOnce = 256

// expired is an entry that Expire has claimed.
type expired struct {
	entry inbox.Entry
	claim *claim
}

// Expire checks the oldest waiting entries and the oldest dead ones.
func (v *view) Expire(ctx context.Context, keep, dead time.Duration) (died, removed []inbox.Entry, err error) {
	if c := v.count(); c.waiting+c.dead == 0 {
		return nil, nil, nil
	}
	waiting, gone, err := v.claimExpired(keep, dead)
	if err != nil {
		return nil, nil, err
	}
	if len(waiting)+len(gone) == 0 {
		return nil, nil, v.noteTime(ctx)
	}
	w := v.write(func(t *drawerTx) error { return v.expire(t, waiting, gone) }, func(error) {
		for _, e := range slices.Concat(waiting, gone) {
			v.end(e.entry.Keys.Content, e.claim)
		}
	})
	v.box.Enqueue(w)
	if err := w.Wait(ctx); err != nil {
		return nil, nil, v.problem(err)
	}
	return entriesOf(waiting), entriesOf(gone), nil
}

func entriesOf(list []expired) (entries []inbox.Entry) {
	for _, e := range list {
		entries = append(entries, e.entry)
	}
	return entries
}

// claimExpired claims the entries that have waited or been dead for too long.
func (v *view) claimExpired(keep, dead time.Duration) (waiting, gone []expired, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	err = v.read(func(t *drawerTx) error {
		if t == nil {
			return nil
		}
		waiting = v.claimOlder(t.waiting, inbox.Waiting, keep)
		gone = v.claimOlder(t.dead, inbox.Dead, dead)
		return nil
	})
	return waiting, gone, err
}

// claimOlder claims the entries of a bucket that are older than age. The
// entries of a bucket are in the order of their age. It is called with the lock
// held.
func (v *view) claimOlder(bucket *bbolt.Bucket, state inbox.State, age time.Duration) (found []expired) {
	cursor := bucket.Cursor()
	for key, value := cursor.First(); key != nil && len(found) < atOnce; key, value = cursor.Next() {
		h, err := decodeHead(value)
		if err != nil {
			continue // Take reports it
		}
		e := h.entry(v.owner, state, &v.box.clocks)
		if e.Age <= age {
			return found
		}
		if _, gone := v.gone[h.Keys.Content]; gone {
			continue
		}
		if c, ok := v.claimLocked(h.Keys.Content); ok {
			found = append(found, expired{e, c})
		}
	}
	return found
}

func (v *view) expire(t *drawerTx, waiting, gone []expired) error {
	for _, e := range slices.Concat(waiting, gone) {
		s, h, ok, err := t.find(e.entry.Keys.Content)
		switch {
		case err != nil:
			return err
		case !ok:
		case s.dead:
			err = t.remove(s, h)
		default:
			err = v.bury(t, s, h)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bury moves an entry from the waiting ones to the dead.
func (d *drawer) bury(t *drawerTx, s spot, h *head) error {
	if err := t.leave(s, h); err != nil {
		return err
	}
	h.Began, h.Due = d.box.clocks.open.now(), 0
	return t.die(h)
}

// noteTime stores the time, if it was last stored long ago.
func (v *view) noteTime(ctx context.Context) error {
	if since := v.box.clocks.open.now() - v.box.stamped.Load(); since < stampEvery.Milliseconds() {
		return nil
	}
	w := boltfile.NewWrite(func(*bbolt.Tx) error { return nil })
	v.box.Enqueue(w)
	if err := w.Wait(ctx); err != nil {
		return v.problem(err)
	}
	return nil
}

// Delivered removes a dead entry.
func (v *view) Delivered(ctx context.Context, content replay.Key) error {
	if v.count().dead == 0 {
		return nil
	}
	dead := false
	if err := v.read(func(t *drawerTx) error {
		value := t.index.Get(content[:])
		if value == nil {
			return nil
		}
		s, err := decodeSpot(value)
		dead = s.dead
		return err
	}); err != nil || !dead {
		return err
	}
	err := v.operate(ctx, content, func(t *drawerTx, s spot, h *head) error {
		if !s.dead {
			return nil
		}
		return t.remove(s, h)
	})
	if errors.Is(err, inbox.ErrUnknown) {
		return nil
	}
	return err
}

// Retry makes an entry due. A dead entry becomes a waiting one.
func (v *view) Retry(ctx context.Context, content replay.Key) error {
	return v.operate(ctx, content, func(t *drawerTx, s spot, h *head) error {
		now, from := v.box.clocks.wall.now(), h.Due
		h.Last.Hurried = false
		if !s.dead {
			h.Due = now
			return t.update(s, from, h, now)
		}
		if err := t.leave(s, h); err != nil {
			return err
		}
		h.Began, h.Due = v.box.clocks.open.now(), now
		return t.wait(h)
	})
}

// Drop removes an entry.
func (v *view) Drop(ctx context.Context, content replay.Key) error {
	return v.operate(ctx, content, func(t *drawerTx, s spot, h *head) error { return t.remove(s, h) })
}

// List reads a few entries at a time. One that is changed meanwhile may be listed
// twice or not at all.
func (v *view) List(yield func(inbox.Entry) bool) error {
	var damaged error
	for _, state := range []inbox.State{inbox.Waiting, inbox.Dead} {
		for from := uint64(0); ; {
			entries, next, err := v.page(state, from)
			if err != nil && !errors.Is(err, inbox.ErrDamaged) {
				return err
			}
			if err != nil {
				damaged = err
			}
			for _, e := range entries {
				if !yield(e) {
					return damaged
				}
			}
			if next == 0 {
				break
			}
			from = next
		}
	}
	return damaged
}

// page returns the entries from a place on, and the place after them, or zero
// at the end.
func (v *view) page(state inbox.State, from uint64) (entries []inbox.Entry, next uint64, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var damaged error
	err = v.read(func(t *drawerTx) error {
		if t == nil {
			return nil
		}
		cursor := t.state(state == inbox.Dead).Cursor()
		for key, value := cursor.Seek(number(from)); key != nil; key, value = cursor.Next() {
			if len(entries) == atOnce {
				next = placeOf(key)
				return nil
			}
			h, err := decodeHead(value)
			if err != nil {
				damaged = err
				continue
			}
			if _, gone := v.gone[h.Keys.Content]; gone {
				continue
			}
			e := h.entry(v.owner, state, &v.box.clocks)
			e.Busy = state == inbox.Waiting && v.held[h.Keys.Content] != nil
			entries = append(entries, e)
		}
		return nil
	})
	return entries, next, errors.Join(err, damaged)
}

// Counts returns the counts from memory, and reads the age of the oldest entry.
func (v *view) Counts() inbox.Counts {
	c := v.count()
	counts := inbox.Counts{Waiting: int(c.waiting), Dead: int(c.dead), Bytes: c.bytes}
	if c.waiting == 0 {
		return counts
	}
	_ = v.read(func(t *drawerTx) error {
		_, value := t.waiting.Cursor().First()
		if value == nil { // it has just been removed
			return nil
		}
		h, err := decodeHead(value)
		if err == nil {
			counts.Oldest = h.entry(v.owner, inbox.Waiting, &v.box.clocks).Age
		}
		return err
	})
	return counts
}

// Owners returns all owners of entries in the file.
func (v *view) Owners() []inbox.Owner { return v.box.owners() }

// Close releases this configuration's share in the file.
func (v *view) Close() (err error) {
	v.closing.Do(func() { _, err = boltfile.Files.Delete(v.box.path) })
	return err
}

// Interface guards
var _ inbox.Inbox = (*view)(nil)
