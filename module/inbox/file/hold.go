package file

import (
	"context"
	"io"
	"sync/atomic"
	"time"

	"github.com/hooklatch/hooklatch/module/inbox"
)

// hold is a claimed entry.
type hold struct {
	view  *view
	claim *claim
	head  *head
	entry inbox.Entry
	over  atomic.Bool
}

// Entry returns the entry as it was when the hold began.
func (h *hold) Entry() *inbox.Entry { return &h.entry }

// Body opens the body.
func (h *hold) Body() (io.ReadCloser, error) { return h.view.openBody(h.head) }

// Finish returns once the entry has been removed from the file.
func (h *hold) Finish(ctx context.Context) error {
	if h.over.Swap(true) {
		return nil
	}
	v, content := h.view, h.head.Keys.Content
	w := v.write(func(t *drawerTx) error {
		s, found, ok, err := t.find(content)
		if err != nil || !ok {
			return err
		}
		return t.remove(s, found)
	}, func(err error) {
		v.setGone(content, err != nil)
		v.end(content, h.claim)
	})
	w.Again = true
	v.box.Enqueue(w)
	if err := w.Wait(ctx); err != nil { // if ctx ends early, the writer goes on
		return v.problem(err)
	}
	return nil
}

// Later returns once the outcome is stored in the file.
func (h *hold) Later(ctx context.Context, o inbox.Outcome, wait time.Duration) error {
	return h.change(ctx, o, func(t *drawerTx, s spot, found *head) error {
		now, from := h.view.box.clocks.wall.now(), found.Due
		found.Due = now + wait.Milliseconds()
		return t.update(s, from, found, now)
	})
}

// Die returns once the entry is stored as dead.
func (h *hold) Die(ctx context.Context, o inbox.Outcome) error {
	return h.change(ctx, o, h.view.bury)
}

func (h *hold) change(ctx context.Context, o inbox.Outcome, change func(*drawerTx, spot, *head) error) error {
	if h.over.Swap(true) {
		return nil
	}
	v, content := h.view, h.head.Keys.Content
	w := v.write(func(t *drawerTx) error {
		s, found, ok, err := t.find(content)
		if err != nil || !ok || s.dead {
			return err
		}
		found.Last = o
		return change(t, s, found)
	}, func(error) { v.end(content, h.claim) })
	v.box.Enqueue(w)
	if err := w.Wait(ctx); err != nil { // if ctx ends early, the writer goes on
		return v.problem(err)
	}
	return nil
}

// Release ends the hold, so that others can take the entry.
func (h *hold) Release() {
	if !h.over.Swap(true) {
		h.view.end(h.head.Keys.Content, h.claim)
	}
}

// kept is the hold for a delivery that is already safe with another holder. It
// does nothing.
type kept struct{ entry inbox.Entry }

func (k kept) Entry() *inbox.Entry                                     { return &k.entry }
func (kept) Body() (io.ReadCloser, error)                              { return nil, inbox.ErrBusy }
func (kept) Finish(context.Context) error                              { return nil }
func (kept) Later(context.Context, inbox.Outcome, time.Duration) error { return nil }
func (kept) Die(context.Context, inbox.Outcome) error                  { return nil }
func (kept) Release()                                                  {}

// Interface guards
var (
	_ inbox.Hold = (*hold)(nil)
	_ inbox.Hold = kept{}
)
