package file

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/internal/boltfile/boltfiletest"
	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/replay/replaytest"
)

// testClock is a clock that a test sets.
type testClock struct {
	mu sync.Mutex
	at time.Time
}

func newTestClock() *testClock { return &testClock{at: time.Unix(1760000000, 0)} }

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) advance(d time.Duration) {
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

func tryOpen(t testing.TB, path, label string, c *testClock) (*view, error) {
	t.Helper()
	s := &Store{Path: path, now: c.now}
	ctx := configuration(t)
	if err := s.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	h, err := s.Open(replay.OpenOptions{Label: label, TTL: replaytest.TTL, Context: ctx})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { closed(t, h.(*view)) })
	return h.(*view), nil
}

func opened(t testing.TB, path, label string, c *testClock) *view {
	t.Helper()
	v, err := tryOpen(t, path, label, c)
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

// fillDisk makes every write fail until there is room again.
func fillDisk(t testing.TB, v *view) (makeRoom func()) {
	t.Helper()
	return boltfiletest.FillDisk(t, v.history.database.File)
}

// withoutSync is for tests that are not about the disk.
func withoutSync(v *view) {
	db, _ := v.history.database.DB()
	db.NoSync = true
}

func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "history.db") }

func reserve(t testing.TB, v *view, e replay.Event, want replay.Status) replay.Reservation {
	t.Helper()
	r, status, err := v.Reserve(context.Background(), e)
	if err != nil || status != want {
		t.Fatalf("event %x: %v (%v), want %v", e.Content[:8], status, err, want)
	}
	return r
}

func deliver(t testing.TB, v *view, e replay.Event) {
	t.Helper()
	if err := reserve(t, v, e, replay.Reserved).Deliver(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func event(n uint64) replay.Event { return replay.Event{Content: replaytest.Key(n)} }

func TestContract(t *testing.T) {
	replaytest.Run(t, func(t *testing.T) replaytest.Subject {
		c, path := newTestClock(), newPath(t)
		return replaytest.Subject{
			Open:    func(t *testing.T, label string) replay.History { return opened(t, path, label, c) },
			Advance: c.advance,
			Broken: func(t *testing.T) replay.History {
				v := opened(t, path, "broken", c)
				fillDisk(t, v)
				if err := reserve(t, v, event(9), replay.Reserved).Deliver(context.Background()); err == nil {
					t.Fatal("delivered on a full disk")
				}
				return v
			},
			Hang: func(t *testing.T) (h replay.History, hang, resume func()) {
				v, stuck := opened(t, path, "hanging", c), make(chan struct{})
				hang = func() {
					v.history.database.Enqueue(boltfile.NewWrite(func(*bbolt.Tx) error {
						<-stuck // like a disk that does not respond
						return nil
					}))
				}
				return v, hang, sync.OnceFunc(func() { close(stuck) })
			},
		}
	})
}

// TestRestart checks that delivered events stay, and events that were being
// handled are free.
func TestRestart(t *testing.T) {
	c, path := newTestClock(), newPath(t)
	v := opened(t, path, "label", c)
	e := replay.Event{Content: replaytest.Key(1), Occurrence: replaytest.Key(2), Unsigned: 3}
	deliver(t, v, e)
	released := reserve(t, v, event(4), replay.Reserved)
	if err := released.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
	closed(t, v)

	v = opened(t, path, "label", c)
	reserve(t, v, e, replay.Duplicate)
	reserve(t, v, replay.Event{Content: replaytest.Key(5), Occurrence: replaytest.Key(2)}, replay.OccurrenceConflict)
	deliver(t, v, event(4))
	c.advance(replaytest.TTL)
	reserve(t, v, e, replay.Reserved)
}

// TestImpatientDelivery checks that an event is recorded even if the caller
// stops waiting.
func TestImpatientDelivery(t *testing.T) {
	c, path := newTestClock(), newPath(t)
	v := opened(t, path, "label", c)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for n := range uint64(20) {
		_ = reserve(t, v, event(n), replay.Reserved).Deliver(gone)
	}
	deliver(t, v, event(100)) // is written after the others
	for n := range uint64(20) {
		reserve(t, v, event(n), replay.Duplicate)
	}
	// Closing waits for writes that no caller waits for.
	for n := range uint64(20) {
		_ = reserve(t, v, event(200+n), replay.Reserved).Deliver(gone)
	}
	closed(t, v)
	if n, used := boltfile.Files.References(path); used {
		t.Errorf("%d references are left", n)
	}
	v = opened(t, path, "label", c)
	for n := range uint64(20) {
		reserve(t, v, event(200+n), replay.Duplicate)
	}
}

func TestTwoSpellingsOfAPath(t *testing.T) {
	c, path := newTestClock(), newPath(t)
	one := opened(t, path, "one", c)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(filepath.Dir(path), link); err != nil {
		t.Fatal(err)
	}
	other := opened(t, filepath.Join(link, ".", "history.db"), "one", c)
	deliver(t, one, event(1))
	reserve(t, other, event(1), replay.Duplicate)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v (%v)", info.Mode(), err)
	}
}

func TestPath(t *testing.T) {
	t.Setenv("REPLAY_FOLDER", "/var/lib/hooklatch")
	for path, want := range map[string]string{
		"{env.REPLAY_FOLDER}/history.db": "/var/lib/hooklatch/history.db",
		"history.db":                     "history.db",
		"{env.NOT_SET}/history.db":       "",
		"":                               "",
	} {
		s := &Store{Path: path}
		err := s.Provision(configuration(t))
		if (err == nil) != (want != "") || err == nil && s.path != want {
			t.Errorf("%q: %q, %v", path, s.path, err)
		}
		if err != nil && !strings.Contains(err.Error(), "replay file") {
			t.Error(err)
		}
	}
}
