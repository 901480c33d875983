package file

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/inbox/inboxtest"
	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/internal/boltfile/boltfiletest"
)

// testTime is a clock that a test sets.
type testTime struct {
	mu   sync.Mutex
	at   time.Time
	gone time.Duration
}

func newTestTime() *testTime { return &testTime{at: time.Unix(1760000000, 0)} }

func (c *testTime) source() timeSource {
	return timeSource{
		now:     func() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at },
		elapsed: func() time.Duration { c.mu.Lock(); defer c.mu.Unlock(); return c.gone },
	}
}

// advance lets time go by.
func (c *testTime) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.gone = c.at.Add(d), c.gone+d
}

// set moves the machine's clock.
func (c *testTime) set(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func configuration(t testing.TB) caddy.Context {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	return ctx
}

func tryOpen(t testing.TB, path string, o inbox.Owner, c *testTime) (*view, error) {
	t.Helper()
	s := &Store{Path: path, source: c.source(), Options: inbox.Options{MaxSize: inboxtest.MaxSize}}
	ctx := configuration(t)
	if err := s.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	in, err := s.Open(inbox.OpenOptions{Owner: o, Context: ctx})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { closed(t, in.(*view)) })
	return in.(*view), nil
}

func opened(t testing.TB, path string, c *testTime) *view {
	t.Helper()
	v, err := tryOpen(t, path, inboxtest.Owner, c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func closed(t testing.TB, v *view) {
	t.Helper()
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "inbox.db") }

func fillDisk(t testing.TB, v *view) (makeRoom func()) {
	t.Helper()
	return boltfiletest.FillDisk(t, v.box.File)
}

func TestContract(t *testing.T) {
	inboxtest.Run(t, func(t *testing.T) inboxtest.Subject {
		c, path := newTestTime(), newPath(t)
		open := func(t *testing.T, o inbox.Owner) *view {
			t.Helper()
			v, err := tryOpen(t, path, o, c)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		return inboxtest.Subject{
			Open:     func(t *testing.T, o inbox.Owner) inbox.Inbox { return open(t, o) },
			Advance:  c.advance,
			SetClock: c.set,
			Broken: func(t *testing.T, o inbox.Owner) (inbox.Inbox, func()) {
				v := open(t, o)
				inboxtest.Keep(t, v, 1).Release()
				return v, fillDisk(t, v)
			},
			Hang: func(t *testing.T, o inbox.Owner) (in inbox.Inbox, hang, resume func()) {
				v, stuck := open(t, o), make(chan struct{})
				hang = func() {
					started := make(chan struct{})
					v.box.Enqueue(boltfile.NewWrite(func(*bbolt.Tx) error {
						close(started)
						<-stuck // like a disk that does not respond
						return nil
					}))
					<-started
				}
				return v, hang, sync.OnceFunc(func() { close(stuck) })
			},
		}
	})
}
