package file

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/replay"
)

// overhead is roughly the size of an entry besides its request and body, in
// bytes.
const overhead = 1 << 10

// keeping is an entry that is being written to the file.
type keeping struct {
	view  *view
	claim *claim
	head  *head
	// request is the stored request, with the body if that is small.
	request []byte
	// existed is set by the writer if the delivery already waits.
	existed bool
}

// Keep returns once the delivery is on the disk.
func (v *view) Keep(ctx context.Context, e inbox.Entry, body []byte) (inbox.Hold, error) {
	v.box.Probe(ctx)
	if err := v.box.Writable(); err != nil {
		return nil, v.problem(err)
	}
	c, err := v.claimToKeep(ctx, e.Keys.Content)
	if err != nil {
		return nil, err
	}
	if c == nil { // it waits and is busy
		return kept{e}, nil
	}
	k := &keeping{view: v, claim: c}
	if err := k.prepare(ctx, e, body); err != nil {
		v.end(e.Keys.Content, c)
		return nil, err
	}
	return k.write(ctx, e)
}

// claimToKeep waits until a key is free and claims it. It returns nil if
// another holder's entry under the key is already durable.
func (v *view) claimToKeep(ctx context.Context, content replay.Key) (*claim, error) {
	for {
		v.mu.Lock()
		c, ok := v.claimLocked(content)
		durable := c.durable
		v.mu.Unlock()
		switch {
		case ok:
			return c, nil
		case durable:
			return nil, nil
		}
		select {
		case <-c.ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// prepare does the work that needs no transaction: it takes the room, and
// writes a large body to a file.
func (k *keeping) prepare(ctx context.Context, e inbox.Entry, body []byte) (err error) {
	v := k.view
	inline := body
	if len(body) > inlineBody {
		inline = nil
	}
	if k.request, err = encodeRequest(&e.Request, inline); err != nil {
		return err
	}
	k.head = &head{
		Facts: e.Facts, Keys: e.Keys, ReceivedAt: e.ReceivedAt, ClientIP: e.ClientIP, Method: e.Request.Method, URI: e.Request.URI,
		KeptAt: v.box.source.now().UTC(), Size: int64(len(body)), Sum: crc32.Checksum(body, castagnoli), Last: e.Last,
		Charge: int64(len(k.request)-len(inline)+len(body)) + overhead,
		Began:  v.box.clocks.open.now(), Due: v.box.clocks.wall.now(),
	}
	if !v.box.take(k.head.Charge, v.maxSize) {
		return known{inbox.ErrFull, fmt.Errorf("%s has reached max_size", v.box.path)}
	}
	if inline == nil && len(body) > 0 {
		k.head.File = bodyName(e.Keys.Content)
		if err := v.box.writeBody(ctx, k.head.File, body); err != nil {
			v.box.give(k.head.Charge)
			return v.problem(err)
		}
	}
	return nil
}

// write writes the entry to the file. If ctx ends before that is known to have
// worked, the entry is removed again.
func (k *keeping) write(ctx context.Context, e inbox.Entry) (inbox.Hold, error) {
	v := k.view
	w := v.write(k.put, k.written)
	w.Grows = true
	v.box.Enqueue(w)
	err := w.Wait(ctx)
	switch {
	case err == nil && k.existed:
		return v.keptBefore(e.Keys.Content, k.claim)
	case err == nil:
		v.secured(k.claim)
		kept := k.head.entry(v.owner, inbox.Waiting, &v.box.clocks)
		kept.Request = e.Request
		return &hold{view: v, claim: k.claim, head: k.head, entry: kept}, nil
	case ctx.Err() == nil:
		return nil, v.problem(err)
	}
	k.takeBack()
	return nil, ctx.Err()
}

// put is the change that the write makes. It leaves a waiting entry unchanged
// and replaces a dead one.
func (k *keeping) put(t *drawerTx) error {
	s, old, ok, err := t.find(k.head.Keys.Content)
	if err != nil {
		return err
	}
	k.existed = ok && !s.dead
	if k.existed {
		return nil
	}
	if ok {
		if err := t.remove(s, old); err != nil {
			return err
		}
	}
	return t.add(k.head, k.request)
}

// written is called by the writer. It gives the reserved room back; a kept
// entry is counted by now.
func (k *keeping) written(err error) {
	v := k.view
	v.box.give(k.head.Charge)
	if (err != nil || k.existed) && k.head.File != "" {
		v.box.removeBody(k.head.File)
	}
	if err != nil {
		v.end(k.head.Keys.Content, k.claim)
	}
}

// takeBack removes an entry after Keep has stopped waiting for it. Until it is
// removed, the entry counts as gone.
func (k *keeping) takeBack() {
	v, content := k.view, k.head.Keys.Content
	v.setGone(content, true)
	w := v.write(func(t *drawerTx) error {
		s, h, ok, err := t.find(content)
		if err != nil || !ok || k.existed || h.Number != k.head.Number {
			return err
		}
		return t.remove(s, h)
	}, func(err error) {
		if err == nil || errors.Is(err, inbox.ErrDamaged) {
			v.setGone(content, false)
			v.end(content, k.claim)
		}
	})
	w.Again = true
	v.box.Enqueue(w)
}

func (d *drawer) setGone(content replay.Key, gone bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if gone {
		d.gone[content] = struct{}{}
	} else {
		delete(d.gone, content)
	}
}

// secured marks that the entry of a claim is durable.
func (d *drawer) secured(c *claim) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.durable = true
}

// keptBefore returns the hold of an entry that already waited and was not busy.
func (v *view) keptBefore(content replay.Key, c *claim) (inbox.Hold, error) {
	v.secured(c)
	h, e, err := v.load(content)
	if err != nil {
		v.end(content, c)
		return nil, err
	}
	return &hold{view: v, claim: c, head: h, entry: e}, nil
}
