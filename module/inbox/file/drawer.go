package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
)

// drawer holds the inbox of one owner: its entries in buckets of the file, and
// in memory their number and the claims on them.
type drawer struct {
	box    *box
	owner  inbox.Owner
	bucket []byte

	mu     sync.Mutex
	counts counts
	// held are the claimed keys. Only the holder of a claim may take or change the
	// entry.
	held map[replay.Key]*claim
	// gone are the keys of entries that count as removed, although removing them
	// from the file has not worked yet.
	gone map[replay.Key]struct{}
	// damaged are the places of entries that cannot be read.
	damaged map[uint64]struct{}
	hurry   hurry
}

// claim is the exclusive right to work on the entry of a key.
type claim struct {
	durable bool          // the entry is in the file
	ended   chan struct{} // closed when the claim has ended
}

// hurry is a walk through the entries that are due later. Hurry begins it, and
// each entry is visited once.
type hurry struct {
	on    bool
	since int64  // entries that began to wait before this are due
	from  []byte // the next key in the due bucket
}

func (d *drawer) count() counts {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.counts
}

// claim claims a key, unless it is claimed already.
func (d *drawer) claim(key replay.Key) (c *claim, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.claimLocked(key)
}

func (d *drawer) claimLocked(key replay.Key) (c *claim, ok bool) {
	if c := d.held[key]; c != nil {
		return c, false
	}
	c = &claim{ended: make(chan struct{})}
	d.held[key] = c
	return c, true
}

// end ends a claim.
func (d *drawer) end(key replay.Key, c *claim) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.held[key] == c {
		delete(d.held, key)
		close(c.ended)
	}
}

// write returns the write for a change to the drawer. If the change meets
// damaged data, only this write fails and not the others in its transaction.
// written is called with the outcome, as boltfile.Write.Written is.
func (d *drawer) write(change func(*drawerTx) error, written func(error)) *boltfile.Write {
	var t *drawerTx
	var damaged error
	w := boltfile.NewWrite(func(tx *bbolt.Tx) (err error) {
		damaged = nil
		if t, err = made(tx, d.bucket); err != nil {
			return err
		}
		if err = change(t); errors.Is(err, inbox.ErrDamaged) {
			t, damaged = nil, err
			return nil
		}
		if err != nil {
			return err
		}
		return t.count()
	})
	w.Written = func(err error) {
		if err == nil && t != nil {
			d.committed(t.change)
			for _, name := range t.unused {
				d.box.removeBody(name)
			}
		}
		if err == nil {
			err = damaged
		}
		written(err)
	}
	return w
}

// committed adds the changes of a transaction to the counts. New entries have
// taken their room before.
func (d *drawer) committed(change counts) {
	d.mu.Lock()
	d.counts = d.counts.plus(change)
	d.mu.Unlock()
	d.box.give(-change.bytes)
}

// read runs a read-only transaction. do gets nil if the owner has nothing in
// the file.
func (d *drawer) read(do func(*drawerTx) error) error {
	err := d.box.Read(func(tx *bbolt.Tx) error { return do(in(tx, d.bucket)) })
	if boltfile.IsDamage(err) {
		return known{inbox.ErrDamaged, err}
	}
	return err
}

// judge compares a delivery with the waiting ones.
func (d *drawer) judge(e replay.Event) (status replay.Status, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	status = replay.Reserved
	if d.counts.waiting == 0 {
		return status, nil
	}
	err = d.read(func(t *drawerTx) error {
		s, waits, err := d.waits(t, e.Content)
		switch {
		case err != nil:
			return err
		case waits && s.mark == e.Unsigned:
			status = replay.Duplicate
			return nil
		case waits:
			status = replay.ContentConflict
			return nil
		case e.Occurrence == replay.Key{}:
			return nil
		}
		other := t.occurrence.Get(e.Occurrence[:])
		if other == nil || bytes.Equal(other, e.Content[:]) {
			return nil
		}
		if _, waits, err = d.waits(t, replay.Key(other)); waits {
			status = replay.OccurrenceConflict
		}
		return err
	})
	return status, err
}

// waits returns the spot of a waiting entry; false if there is none. The caller
// holds the lock.
func (d *drawer) waits(t *drawerTx, content replay.Key) (s spot, ok bool, err error) {
	if _, gone := d.gone[content]; gone || t == nil {
		return s, false, nil
	}
	value := t.index.Get(content[:])
	if value == nil {
		return s, false, nil
	}
	s, err = decodeSpot(value)
	return s, err == nil && !s.dead, err
}

// readInline reads a body that is stored together with its request.
func (d *drawer) readInline(h *head) (body *bytes.Reader, err error) {
	err = d.read(func(t *drawerTx) error {
		_, inline, err := decodeRequest(t.requests.Get(number(h.Number)))
		body = bytes.NewReader(bytes.Clone(inline))
		return err
	})
	return body, err
}

// take claims the entry that has been due longest.
func (d *drawer) take() (content replay.Key, c *claim, ok bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	found, wait, err := d.next()
	if err != nil || found == nil || wait > 0 {
		return content, nil, false, err
	}
	c, ok = d.claimLocked(found.content)
	c.durable = true
	return found.content, c, ok, nil
}

// next returns the entry that is due first, and in how many milliseconds it is
// due. It returns nil if no entry waits that may be taken. The caller holds the
// lock.
func (d *drawer) next() (found *turn, wait int64, err error) {
	if d.counts.waiting == 0 {
		return nil, 0, nil
	}
	now := d.box.clocks.wall.now()
	err = d.read(func(t *drawerTx) error {
		if t == nil {
			return nil
		}
		cursor := t.due.Cursor()
		for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
			each, err := decodeTurn(key, value)
			if err != nil {
				return err
			}
			if d.free(each) {
				found, wait = &each, int64(each.due)-now
				break
			}
		}
		if found == nil || wait <= 0 || !d.hurry.on {
			return nil
		}
		hurried, err := d.hurried(cursor)
		if hurried != nil {
			found, wait = hurried, 0
		}
		return err
	})
	return found, max(0, wait), err
}

// free reports whether an entry may be taken. The caller holds the lock.
func (d *drawer) free(t turn) bool {
	_, gone := d.gone[t.content]
	_, damaged := d.damaged[t.place]
	return !gone && !damaged && d.held[t.content] == nil
}

// hurried continues the walk to the next entry that Hurry makes due.
func (d *drawer) hurried(cursor *bbolt.Cursor) (*turn, error) {
	for key, value := cursor.Seek(d.hurry.from); key != nil; key, value = cursor.Next() {
		d.hurry.from = bytes.Clone(key)
		each, err := decodeTurn(key, value)
		if err != nil {
			return nil, err
		}
		if each.hurried && each.since <= d.hurry.since && d.free(each) {
			return &each, nil
		}
	}
	d.hurry = hurry{}
	return nil, nil
}

// skip marks an entry as unreadable, so that it does not block the others. # #
func (d *drawer) skip(content replay.Key, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.read(func(t *drawerTx) error {
		s, err := decodeSpot(t.index.Get(content[:]))
		if err == nil {
			d.damaged[s.place] = struct{}{}
		}
		return err
	})
	logger().Error("a delivery in the inbox is damaged and is not attempted; drop it, or restore a copy of the file",
		zap.String("path", d.box.path), zap.String("provider", d.owner.Provider), zap.String("key", content.ID()), zap.Error(err))
}

// load reads an entry with its request.
func (d *drawer) load(content replay.Key) (h *head, e inbox.Entry, err error) {
	err = d.read(func(t *drawerTx) error {
		_, found, ok, err := t.find(content)
		if err != nil {
			return err
		}
		if !ok {
			return inbox.ErrUnknown
		}
		h = found
		e = h.entry(d.owner, inbox.Waiting, &d.box.clocks)
		e.Request, _, err = decodeRequest(t.requests.Get(number(h.Number)))
		return err
	})
	return h, e, err
}

// operate changes an entry for the operator.
func (d *drawer) operate(ctx context.Context, content replay.Key, change func(*drawerTx, spot, *head) error) error {
	c, ok := d.claim(content)
	if !ok {
		return inbox.ErrBusy
	}
	unknown := d.isGone(content)
	w := d.write(func(t *drawerTx) error {
		s, h, ok, err := t.find(content)
		unknown = unknown || !ok
		if err != nil || unknown {
			return err
		}
		return change(t, s, h)
	}, func(error) { d.end(content, c) })
	d.box.Enqueue(w)
	if err := w.Wait(ctx); err != nil {
		return d.problem(err)
	}
	if unknown {
		return inbox.ErrUnknown
	}
	return nil
}

func (d *drawer) isGone(content replay.Key) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, gone := d.gone[content]
	return gone
}

// problem turns the error of a write into one of the known errors.
func (d *drawer) problem(err error) error {
	switch {
	case boltfile.IsFull(err):
		return known{inbox.ErrFull, fmt.Errorf("%s: %w", d.box.path, err)}
	case errors.Is(err, inbox.ErrDamaged):
		return fmt.Errorf("%s: %w", d.box.path, err)
	case boltfile.IsDamage(err):
		return known{inbox.ErrDamaged, fmt.Errorf("%s: %w", d.box.path, err)}
	}
	return fmt.Errorf("%s: %w", d.box.path, err)
}
