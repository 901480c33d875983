package file

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/replay/replaytest"
)

// entries counts the entries in the file, expired or not.
func entries(t testing.TB, v *view) (n int) {
	t.Helper()
	if err := v.history.database.Read(func(tx *bbolt.Tx) error {
		n = tx.Bucket(v.history.bucket).Stats().KeyN
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if counted, known := v.Entries(); counted != n || !known {
		t.Errorf("counted %d entries (known: %v), there are %d", counted, known, n)
	}
	return n
}

// TestOldFileIsCounted checks files of a version that stored no count or a
// wrong one.
func TestOldFileIsCounted(t *testing.T) {
	c, path := newTestClock(), newPath(t)
	v := opened(t, path, "label", c)
	fill(t, v, 0, 300)
	forgotten := boltfile.NewWrite(func(tx *bbolt.Tx) error { return tx.Bucket(v.history.bucket).SetSequence(7) })
	v.history.database.Enqueue(forgotten)
	if err := forgotten.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, _ := v.Entries(); n != 7 {
		t.Fatalf("the file says %d entries", n)
	}
	closed(t, v)
	v = opened(t, path, "label", c)
	if n := entries(t, v); n != 600 {
		t.Errorf("%d entries, want 600", n)
	}
	deliver(t, v, event(1))
	if n := entries(t, v); n != 601 {
		t.Errorf("%d entries, want 601", n)
	}
}

// TestFileDoesNotGrow runs steady traffic for many times the ttl. With THOROUGH
// the traffic is denser.
func TestFileDoesNotGrow(t *testing.T) {
	const steps, rounds = 20, 12
	perStep := uint64(30)
	if os.Getenv("THOROUGH") != "" {
		perStep = 250
	}
	c, path := newTestClock(), newPath(t)
	v := opened(t, path, "label", c)
	var next uint64
	var sizes []int64
	for range rounds {
		for range steps {
			fill(t, v, next, next+perStep)
			next += perStep
			c.advance(replaytest.TTL / steps)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, info.Size())
		if n := uint64(entries(t, v)); n > 2*steps*perStep*3/2 {
			t.Fatalf("%d entries, of which %d have not expired", n, 2*steps*perStep)
		}
	}
	t.Logf("file sizes after each time to live: %v", sizes)
	if first, last := sizes[1], sizes[rounds-1]; last > 2*first {
		t.Errorf("the file grew from %d to %d bytes", first, last)
	}
	for n := next - steps*perStep + perStep; n < next; n++ {
		reserve(t, v, spread(n), replay.Duplicate)
	}
}

// TestSweepReachesEveryLabel checks that the sweep reaches a label that no
// configuration has any more.
func TestSweepReachesEveryLabel(t *testing.T) {
	c, path := newTestClock(), newPath(t)
	gone := opened(t, path, "gone", c)
	fill(t, gone, 0, 500)
	closed(t, gone)
	v := opened(t, path, "stays", c)
	c.advance(replaytest.TTL)
	for n := range uint64(100) {
		fill(t, v, 1000+n, 1001+n)
	}
	if n := entries(t, opened(t, path, "gone", c)); n != 0 {
		t.Errorf("%d expired entries are left", n)
	}
	if n := entries(t, v); n != 200 {
		t.Errorf("%d entries, not 200", n)
	}
}

// TestManyAtOnce checks that each event is forwarded once, while entries
// expire, are swept and forgotten, and the file grows.
func TestManyAtOnce(t *testing.T) {
	const senders, events = 16, 400
	c, path := newTestClock(), newPath(t)
	v := opened(t, path, "label", c)
	fill(t, v, 10_000, 14_000) // these expire in between
	c.advance(replaytest.TTL - time.Minute)
	var forwarded [events]atomic.Int32
	var group sync.WaitGroup
	for sender := range senders {
		group.Go(func() {
			for n := range uint64(events) {
				if n == events/2 && sender == 0 {
					c.advance(2 * time.Minute)
				}
				if sender == 1 {
					_, _ = v.Forget(context.Background(), spread(10_000+n).Content)
				}
				r, status, err := v.Reserve(context.Background(), spread(n))
				switch {
				case err != nil:
					t.Error(err)
				case status == replay.Reserved && (n+uint64(sender))%5 == 0:
					_ = r.Release(context.Background())
				case status == replay.Reserved:
					forwarded[n].Add(1)
					if err := r.Deliver(context.Background()); err != nil {
						t.Error(err)
					}
				case status != replay.Duplicate && status != replay.InFlight:
					t.Errorf("event %d: %v", n, status)
				}
			}
		})
	}
	group.Wait()
	entries(t, v) // are counted right
	for n := range forwarded {
		if times := forwarded[n].Load(); times > 1 {
			t.Errorf("event %d was forwarded %d times", n, times)
		}
	}
	closed(t, v)
	if content, err := os.ReadFile(path); err != nil {
		t.Error(err)
	} else if err := boltfile.CheckStructure(content, checkEntry); err != nil {
		t.Error(err)
	}
}

// TestClockSetBack checks that entries outlive a clock that goes back, also at
// a restart, and that events delivered then live as long as any other.
func TestClockSetBack(t *testing.T) {
	c, path := newTestClock(), newPath(t)
	v := opened(t, path, "label", c)
	deliver(t, v, event(1))
	c.advance(-100 * replaytest.TTL)
	reserve(t, v, event(1), replay.Duplicate)
	deliver(t, v, event(2))
	closed(t, v)

	v = opened(t, path, "label", c)
	reserve(t, v, event(1), replay.Duplicate)
	deliver(t, v, event(3))
	c.advance(replaytest.TTL / 2)
	deliver(t, v, event(4))
	closed(t, v)

	c.advance(100 * replaytest.TTL) // the clock is right again, half a TTL later
	v = opened(t, path, "label", c)
	for n := range uint64(4) {
		reserve(t, v, event(n+1), replay.Duplicate)
	}
	c.advance(replaytest.TTL)
	for n := range uint64(4) {
		deliver(t, v, event(n+1))
	}
}

// TestDeliveryWrittenTooLate writes an event only after it has expired and has
// been reserved again. It stays reserved.
func TestDeliveryWrittenTooLate(t *testing.T) {
	c := newTestClock()
	v := opened(t, newPath(t), "label", c)
	reserve(t, v, event(1), replay.Reserved)
	late := v.history.delivery(event(1), replaytest.TTL)
	late.Written(errors.New("no room"))
	reserve(t, v, event(1), replay.Duplicate)
	c.advance(replaytest.TTL + time.Second)
	reserve(t, v, event(1), replay.Reserved)
	late.Written(nil)
	reserve(t, v, event(1), replay.InFlight)
}
