package memory

import (
	"context"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/replay/replaytest"
)

// clock is a clock that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

func opened(t *testing.T, s *Store, label string) *view {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := s.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	h, err := s.Open(replay.OpenOptions{Label: t.Name() + label, TTL: replaytest.TTL, Context: ctx})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h.(*view)
}

func TestContract(t *testing.T) {
	replaytest.Run(t, func(*testing.T) replaytest.Subject {
		c := &clock{at: time.Unix(1760000000, 0)}
		return replaytest.Subject{
			Open:    func(t *testing.T, label string) replay.History { return opened(t, &Store{now: c.now}, label) },
			Advance: c.advance,
		}
	})
}

func do(t *testing.T, v *view, e replay.Event, want replay.Status) {
	t.Helper()
	r, status, _ := v.Reserve(context.Background(), e)
	if status != want {
		t.Fatalf("event %x: %v, want %v", e.Content[:8], status, want)
	}
	if r != nil {
		_ = r.Deliver(context.Background())
	}
}

func TestFullHistoryDropsTheLeastRecentlyUsed(t *testing.T) {
	c := &clock{at: time.Unix(1760000000, 0)}
	v := opened(t, &Store{Size: 3, now: c.now}, "")
	core, logs := observer.New(zap.WarnLevel)
	v.logger = zap.New(core)
	evicted := 0
	v.evicted = func(entries int) { evicted += entries }

	held, _, _ := v.Reserve(context.Background(), replay.Event{Content: replaytest.Key(100)})
	for n := range uint64(3) {
		do(t, v, replay.Event{Content: replaytest.Key(n)}, replay.Reserved)
	}
	do(t, v, replay.Event{Content: replaytest.Key(0)}, replay.Duplicate) // used again
	do(t, v, replay.Event{Content: replaytest.Key(3)}, replay.Reserved)  // evicts 1
	do(t, v, replay.Event{Content: replaytest.Key(0)}, replay.Duplicate)
	do(t, v, replay.Event{Content: replaytest.Key(100)}, replay.InFlight) // reserved ones are never evicted
	_ = held.Release(context.Background())
	if entries := logs.All(); len(entries) != 1 || entries[0].ContextMap()["dropped"] != int64(1) || entries[0].ContextMap()["size"] != int64(3) || entries[0].ContextMap()["size_needed"].(int64) <= 3 || evicted != 1 {
		t.Fatalf("log: %+v", entries)
	}

	for n := range uint64(10) {
		do(t, v, replay.Event{Content: replaytest.Key(200 + n)}, replay.Reserved)
	}
	if n := logs.Len(); n != 1 {
		t.Fatalf("%d warnings within a minute", n)
	}
	c.advance(evictionsEvery)
	do(t, v, replay.Event{Content: replaytest.Key(300)}, replay.Reserved)
	if entries := logs.All(); len(entries) != 2 || entries[1].ContextMap()["dropped"] != int64(11) {
		t.Fatalf("log: %+v", entries)
	}
	do(t, v, replay.Event{Content: replaytest.Key(1)}, replay.Reserved)
}

func TestExpiredEntriesMakeRoomSilently(t *testing.T) {
	c := &clock{at: time.Unix(1760000000, 0)}
	v := opened(t, &Store{Size: 2, now: c.now}, "")
	core, logs := observer.New(zap.WarnLevel)
	v.logger = zap.New(core)
	for n := range uint64(20) {
		do(t, v, replay.Event{Content: replaytest.Key(n)}, replay.Reserved)
		c.advance(replaytest.TTL)
	}
	if logs.Len() != 0 || v.history.kept() > 2 {
		t.Fatalf("%d entries, log %+v", v.history.kept(), logs.All())
	}
}

// TestEventOutlivedByItsOccurrence checks an event whose own entry was evicted
// while the entry of its occurrence ID still exists.
func TestEventOutlivedByItsOccurrence(t *testing.T) {
	v := opened(t, &Store{Size: 1}, "")
	v.logger = zap.NewNop()
	e := replay.Event{Content: replaytest.Key(1), Occurrence: replaytest.Key(2), Unsigned: 3}
	do(t, v, e, replay.Reserved)
	do(t, v, replay.Event{Content: replaytest.Key(9), Occurrence: replaytest.Key(2)}, replay.OccurrenceConflict)
	do(t, v, e, replay.Reserved)
}

func TestReloadWithAnotherSize(t *testing.T) {
	c := &clock{at: time.Unix(1760000000, 0)}
	big := opened(t, &Store{Size: 4, now: c.now}, "")
	for n := range uint64(4) {
		do(t, big, replay.Event{Content: replaytest.Key(n)}, replay.Reserved)
	}
	small := opened(t, &Store{Size: 2, now: c.now}, "")
	small.logger = zap.NewNop()
	if n := small.history.kept(); n != 4 {
		t.Fatalf("%d entries once a smaller configuration was opened; it may yet fail to load", n)
	}
	if err := big.Close(); err != nil {
		t.Fatal(err)
	}
	do(t, small, replay.Event{Content: replaytest.Key(9)}, replay.Reserved)
	if n := small.history.kept(); n != 2 {
		t.Fatalf("%d entries after the first delivery of the smaller configuration alone", n)
	}
}

func TestSizeNeeded(t *testing.T) {
	for _, c := range []struct {
		ttl, left time.Duration
		want      int
	}{
		{24 * time.Hour, 12 * time.Hour, 201},      // filled in half the time
		{24 * time.Hour, 23 * time.Hour, 2401},     // in an hour
		{time.Hour, time.Hour - time.Minute, 6001}, // in a minute
		{time.Hour, time.Hour, 360_001},            // at once: counts as one second
		{time.Hour, time.Second, 101},              // almost enough
	} {
		if got := sizeNeeded(100, c.ttl, c.left); got != c.want {
			t.Errorf("%v left of %v: %d, want %d", c.left, c.ttl, got, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	for _, size := range []int{-1, maxSize + 1} {
		if err := (&Store{Size: size}).Validate(); err == nil || !strings.Contains(err.Error(), "size must be above zero and at most 1073741824") {
			t.Errorf("%d: %v", size, err)
		}
	}
}

// TestRequestOfTheOldConfiguration ends a request after a reload to a larger
// size, and checks that nothing is evicted.
func TestRequestOfTheOldConfiguration(t *testing.T) {
	c := &clock{at: time.Unix(1760000000, 0)}
	small := opened(t, &Store{Size: 2, now: c.now}, "")
	slow, _, _ := small.Reserve(t.Context(), replay.Event{Content: replaytest.Key(100)})
	big := opened(t, &Store{Size: 1000, now: c.now}, "")
	for n := range uint64(50) {
		do(t, big, replay.Event{Content: replaytest.Key(n)}, replay.Reserved)
	}
	if err := slow.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := big.history.kept(); n != 51 {
		t.Errorf("%d of 51 entries are left in a history of size 1000", n)
	}
	for _, n := range []uint64{0, 49, 100} {
		do(t, big, replay.Event{Content: replaytest.Key(n)}, replay.Duplicate)
	}
}

// TestReleaseLeavesTheOccurrenceOfAnother checks that an event that came again
// while its occurrence was still known has not reserved that occurrence.
func TestReleaseLeavesTheOccurrenceOfAnother(t *testing.T) {
	c := &clock{at: time.Unix(1760000000, 0)}
	v := opened(t, &Store{Size: 1, now: c.now}, "")
	v.logger = zap.NewNop()
	occurrence := replaytest.Key(900)
	first := replay.Event{Content: replaytest.Key(1), Occurrence: occurrence}
	do(t, v, first, replay.Reserved) // its content is evicted for its occurrence
	again, status, _ := v.Reserve(t.Context(), first)
	if status != replay.Reserved {
		t.Fatal(status)
	}
	c.advance(replaytest.TTL)
	if _, status, _ := v.Reserve(t.Context(), replay.Event{Content: replaytest.Key(2), Occurrence: occurrence}); status != replay.Reserved {
		t.Fatal(status)
	}
	if err := again.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, status, _ := v.Reserve(t.Context(), replay.Event{Content: replaytest.Key(3), Occurrence: occurrence}); status != replay.InFlight {
		t.Errorf("%v, want in flight", status)
	}
}
