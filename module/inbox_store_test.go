package module

import (
	"bytes"
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/replay"
)

// memoryStore is an inbox in memory. The test sets its clock and its failures.
type memoryStore struct {
	inbox.Options
	Name string
}

func init() { caddy.RegisterModule(memoryStore{}) }

func (memoryStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: inbox.Namespace + ".test_memory", New: func() caddy.Module { return new(memoryStore) }}
}

func (s *memoryStore) Place() string { return s.Name }

// memoryInboxes are the open inboxes by name.
var memoryInboxes sync.Map

func (s *memoryStore) Open(o inbox.OpenOptions) (inbox.Inbox, error) {
	opened, _ := memoryInboxes.LoadOrStore(s.Name, &memoryInbox{owner: o.Owner})
	return opened.(*memoryInbox), nil
}

// memoryInbox keeps entries in the order in which they arrived. An entry is due
// when the test's clock, which elapse advances, has reached its time.
type memoryInbox struct {
	owner inbox.Owner

	mu      sync.Mutex
	clock   time.Duration
	entries []*memoryEntry
	full    bool          // Keep fails
	hold    chan struct{} // Keep waits until it is closed
	slow    chan struct{} // Finish waits for it
	did     []string      // the calls, in order
	closed  int

	committing atomic.Int32 // calls of Keep
}

type memoryEntry struct {
	inbox.Entry
	box  *memoryInbox
	body []byte
	kept time.Duration
	due  time.Duration
}

func (m *memoryInbox) note(what string) { m.did = append(m.did, what) }

func (m *memoryInbox) find(key replay.Key) *memoryEntry {
	i := slices.IndexFunc(m.entries, func(e *memoryEntry) bool { return e.Keys.Content == key })
	if i < 0 {
		return nil
	}
	return m.entries[i]
}

func (m *memoryInbox) remove(e *memoryEntry) {
	m.entries = slices.DeleteFunc(m.entries, func(each *memoryEntry) bool { return each == e })
}

func (m *memoryInbox) Keep(ctx context.Context, e inbox.Entry, body []byte) (inbox.Hold, error) {
	m.committing.Add(1)
	if m.hold != nil {
		select {
		case <-m.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("keep")
	if m.full {
		return nil, inbox.ErrFull
	}
	if known := m.find(e.Keys.Content); known != nil {
		m.remove(known)
	}
	kept := &memoryEntry{Entry: e, box: m, body: bytes.Clone(body), kept: m.clock, due: m.clock}
	kept.State, kept.Size, kept.Busy = inbox.Waiting, int64(len(body)), true
	m.entries = append(m.entries, kept)
	return &memoryHold{entry: kept}, nil
}

func (m *memoryInbox) Judge(e replay.Event) (replay.Status, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.find(e.Content)
	switch {
	case known == nil || known.State == inbox.Dead:
		return replay.Reserved, nil
	case known.Keys.Unsigned != e.Unsigned:
		return replay.ContentConflict, nil
	}
	return replay.Duplicate, nil
}

func (m *memoryInbox) Take() (inbox.Hold, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.State == inbox.Waiting && !e.Busy && e.due <= m.clock {
			e.Busy = true
			m.note("take")
			return &memoryHold{entry: e}, true, nil
		}
	}
	return nil, false, nil
}

func (m *memoryInbox) Next() (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.State == inbox.Waiting && !e.Busy && e.due <= m.clock {
			return 0, true
		}
	}
	return 0, false
}

// memoryInbox returns the inbox of a gateway made by newKeeper.
func (g *gateway) memoryInbox() *memoryInbox { return g.handler.history.kept.opened.(*memoryInbox) }

// entries returns the kept entries, without requests.
func (g *gateway) entries() (all []inbox.Entry) {
	_ = g.memoryInbox().List(func(e inbox.Entry) bool { all = append(all, e); return true })
	return all
}

// elapse advances the time and wakes the scheduler.
func (g *gateway) elapse(t time.Duration) {
	m := g.memoryInbox()
	m.mu.Lock()
	m.clock += t
	m.mu.Unlock()
	g.handler.history.currentInbox().look()
}

func (m *memoryInbox) Hurry() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.note("hurry")
	for _, e := range m.entries {
		if e.Last.Hurried {
			e.due = m.clock
		}
	}
}

func (m *memoryInbox) Expire(_ context.Context, keep, dead time.Duration) (died, removed []inbox.Entry, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range slices.Clone(m.entries) {
		switch {
		case e.State == inbox.Waiting && !e.Busy && m.clock-e.kept > keep:
			died = append(died, e.Entry)
			e.State, e.kept = inbox.Dead, m.clock
		case e.State == inbox.Dead && m.clock-e.kept > dead:
			removed = append(removed, e.Entry)
			m.remove(e)
		}
	}
	return died, removed, nil
}

func (m *memoryInbox) Delivered(_ context.Context, content replay.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.find(content); known != nil && known.State == inbox.Dead {
		m.remove(known)
	}
	return nil
}

func (m *memoryInbox) Retry(_ context.Context, content replay.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.find(content)
	switch {
	case known == nil:
		return inbox.ErrUnknown
	case known.Busy:
		return inbox.ErrBusy
	}
	known.State, known.due, known.kept = inbox.Waiting, m.clock, m.clock
	return nil
}

func (m *memoryInbox) Drop(_ context.Context, content replay.Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.find(content)
	switch {
	case known == nil:
		return inbox.ErrUnknown
	case known.Busy:
		return inbox.ErrBusy
	}
	m.remove(known)
	return nil
}

func (m *memoryInbox) List(yield func(inbox.Entry) bool) error {
	m.mu.Lock()
	var entries []inbox.Entry
	for _, e := range m.entries {
		entries = append(entries, e.Entry)
	}
	m.mu.Unlock()
	for _, e := range entries {
		if !yield(e) {
			break
		}
	}
	return nil
}

func (m *memoryInbox) Counts() (c inbox.Counts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if e.State == inbox.Waiting {
			c.Waiting++
			c.Oldest = max(c.Oldest, m.clock-e.kept)
		} else {
			c.Dead++
		}
		c.Bytes += e.Size
	}
	return c
}

func (m *memoryInbox) Owners() []inbox.Owner { return []inbox.Owner{m.owner} }

func (m *memoryInbox) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed++
	return nil
}

// memoryHold is a busy entry.
type memoryHold struct {
	entry *memoryEntry
	once  sync.Once
}

func (h *memoryHold) Entry() *inbox.Entry { return &h.entry.Entry }

func (h *memoryHold) Body() (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(h.entry.body)), nil
}

func (h *memoryHold) end(what string, change func(m *memoryInbox)) {
	h.once.Do(func() {
		m := h.entry.box
		m.mu.Lock()
		defer m.mu.Unlock()
		m.note(what)
		h.entry.Busy = false
		change(m)
	})
}

func (h *memoryHold) Finish(context.Context) error {
	h.entry.box.mu.Lock()
	slow := h.entry.box.slow
	h.entry.box.mu.Unlock()
	if slow != nil {
		<-slow
	}
	h.end("finish", func(m *memoryInbox) { m.remove(h.entry) })
	return nil
}

func (h *memoryHold) Later(_ context.Context, o inbox.Outcome, wait time.Duration) error {
	h.end("later", func(m *memoryInbox) { h.entry.Last, h.entry.due = o, m.clock+wait })
	return nil
}

func (h *memoryHold) Die(_ context.Context, o inbox.Outcome) error {
	h.end("die", func(m *memoryInbox) { h.entry.Last, h.entry.State, h.entry.kept = o, inbox.Dead, m.clock })
	return nil
}

func (h *memoryHold) Release() { h.end("release", func(*memoryInbox) {}) }
