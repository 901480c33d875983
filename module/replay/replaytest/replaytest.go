// Package replaytest contains the contract of a replay history as tests. Every
// store must pass them.
package replaytest

import (
	"context"
	"encoding/binary"
	"sync"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/replay"
)

// TTL is the time to live that histories under test are opened with.
const TTL = time.Hour

// Subject is a store under test.
type Subject struct {
	// Open opens the history of a label with TTL. A second call with the same
	// label simulates a reload of the configuration.
	Open func(t *testing.T, label string) replay.History
	// Advance moves the store's clock.
	Advance func(d time.Duration)
	// Lease is how long a reservation lasts after its owner is gone. Zero means
	// that the store has no leases: its reservations end with the process.
	Lease time.Duration
	// Abandon stops renewing a reservation, as the end of its process would. It is
	// needed only with Lease.
	Abandon func(r replay.Reservation)
	// Broken opens a history whose store cannot be reached. It is nil if the store
	// cannot fail.
	Broken func(t *testing.T) replay.History
	// Hang opens a history and makes its store hang until resume is called. Until
	// then, a call that waits for the store ends only by the caller's deadline. It
	// is nil if the store waits for nothing.
	Hang func(t *testing.T) (h replay.History, hang, resume func())
}

// Run runs the contract against fresh subjects.
func Run(t *testing.T, fresh func(t *testing.T) Subject) {
	for name, test := range map[string]func(*testing.T, Subject){
		"delivered is a duplicate until its time": deliveredExpires,
		"reserved is in flight":                   reservedBlocks,
		"released is free":                        releasedIsFree,
		"other unsigned values are a conflict":    contentConflicts,
		"one occurrence, two contents":            occurrenceConflicts,
		"one of many is first":                    oneOfManyIsFirst,
		"a reservation is settled once":           settledOnce,
		"a history survives a reload":             survivesReload,
		"labels are apart":                        labelsAreApart,
		"forgotten is free":                       forgottenIsFree,
		"a lease is renewed and expires":          leaseExpires,
		"a store error is an error":               errorsAreErrors,
		"a deadline is kept":                      deadlinesAreKept,
		"what is kept is counted":                 keptIsCounted,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

// Key returns a key made from a number.
func Key(n uint64) replay.Key {
	var k replay.Key
	binary.BigEndian.PutUint64(k[:], n)
	return k
}

func reserve(t *testing.T, h replay.History, e replay.Event, want replay.Status) replay.Reservation {
	t.Helper()
	r, status, err := h.Reserve(context.Background(), e)
	if err != nil || status != want {
		t.Fatalf("reserve: %v (%v), want %v", status, err, want)
	}
	if (r != nil) != (status == replay.Reserved) {
		t.Fatalf("%v came with reservation %v", status, r)
	}
	return r
}

func deliver(t *testing.T, r replay.Reservation) {
	t.Helper()
	if err := r.Deliver(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func release(t *testing.T, r replay.Reservation) {
	t.Helper()
	if err := r.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// keptIsCounted tests histories that know their number of entries.
func keptIsCounted(t *testing.T, s Subject) {
	h := s.Open(t, "label")
	measured, ok := h.(replay.EntryCounter)
	if !ok {
		t.Skip("this store does not know how much it holds")
	}
	expect := func(want int) {
		t.Helper()
		if n, known := measured.Entries(); n != want || !known {
			t.Errorf("%d entries (known: %v), want %d", n, known, want)
		}
	}
	expect(0)
	held := reserve(t, h, replay.Event{Content: Key(1)}, replay.Reserved)
	expect(0)
	deliver(t, held)
	expect(1)
	deliver(t, reserve(t, h, replay.Event{Content: Key(2), Occurrence: Key(3)}, replay.Reserved))
	expect(3)
	reserve(t, h, replay.Event{Content: Key(1)}, replay.Duplicate)
	deliver(t, reserve(t, s.Open(t, "other"), replay.Event{Content: Key(4)}, replay.Reserved))
	expect(3)
	if _, err := h.Forget(context.Background(), Key(2)); err != nil {
		t.Fatal(err)
	}
	expect(1)
}

func deliveredExpires(t *testing.T, s Subject) {
	h := s.Open(t, "label")
	e := replay.Event{Content: Key(1), Occurrence: Key(2), Unsigned: 3}
	deliver(t, reserve(t, h, e, replay.Reserved))
	reserve(t, h, e, replay.Duplicate)
	s.Advance(TTL - time.Second)
	reserve(t, h, e, replay.Duplicate)
	s.Advance(2 * time.Second)
	// A duplicate records nothing, so it does not extend the ttl either.
	release(t, reserve(t, h, e, replay.Reserved))
}

func reservedBlocks(t *testing.T, s Subject) {
	h := s.Open(t, "label")
	r := reserve(t, h, replay.Event{Content: Key(1), Occurrence: Key(2)}, replay.Reserved)
	reserve(t, h, replay.Event{Content: Key(1), Occurrence: Key(2)}, replay.InFlight)
	reserve(t, h, replay.Event{Content: Key(1), Occurrence: Key(9), Unsigned: 7}, replay.InFlight)
	reserve(t, h, replay.Event{Content: Key(8), Occurrence: Key(2)}, replay.InFlight)
	// The rejected reservation left no trace of the other content and occurrence.
	release(t, reserve(t, h, replay.Event{Content: Key(8), Occurrence: Key(9)}, replay.Reserved))
	deliver(t, r)
}

func releasedIsFree(t *testing.T, s Subject) {
	h := s.Open(t, "label")
	e := replay.Event{Content: Key(1), Occurrence: Key(2)}
	release(t, reserve(t, h, e, replay.Reserved))
	release(t, reserve(t, h, replay.Event{Content: Key(5), Occurrence: Key(2)}, replay.Reserved))
	deliver(t, reserve(t, h, e, replay.Reserved))
	reserve(t, h, e, replay.Duplicate)
}

func contentConflicts(t *testing.T, s Subject) {
	h := s.Open(t, "label")
	e := replay.Event{Content: Key(1), Occurrence: Key(2), Unsigned: 3}
	deliver(t, reserve(t, h, e, replay.Reserved))
	dressed := replay.Event{Content: Key(1), Occurrence: Key(4), Unsigned: 5}
	reserve(t, h, dressed, replay.ContentConflict)
	reserve(t, h, replay.Event{Content: Key(1), Unsigned: 6}, replay.ContentConflict)
	// A conflict records nothing.
	reserve(t, h, e, replay.Duplicate)
	release(t, reserve(t, h, replay.Event{Content: Key(7), Occurrence: Key(4)}, replay.Reserved))
}

func occurrenceConflicts(t *testing.T, s Subject) {
	h := s.Open(t, "label")
	deliver(t, reserve(t, h, replay.Event{Content: Key(1), Occurrence: Key(2)}, replay.Reserved))
	reserve(t, h, replay.Event{Content: Key(3), Occurrence: Key(2)}, replay.OccurrenceConflict)
	// Without the occurrence the content is still new.
	deliver(t, reserve(t, h, replay.Event{Content: Key(3)}, replay.Reserved))
}

func oneOfManyIsFirst(t *testing.T, s Subject) {
	const callers, events = 16, 50
	h := s.Open(t, "label")
	for n := range uint64(events) {
		var first, waiting int
		var mu sync.Mutex
		var group sync.WaitGroup
		for range callers {
			group.Go(func() {
				_, status, err := h.Reserve(context.Background(), replay.Event{Content: Key(n + 1), Occurrence: Key(n + 1000)})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && status == replay.Reserved:
					first++
				case err == nil && status == replay.InFlight:
					waiting++
				}
			})
		}
		group.Wait()
		if first != 1 || waiting != callers-1 {
			t.Fatalf("event %d: %d first, %d told to wait", n, first, waiting)
		}
	}
}

func settledOnce(t *testing.T, s Subject) {
	h := s.Open(t, "label")
	e := replay.Event{Content: Key(1), Occurrence: Key(2)}
	r := reserve(t, h, e, replay.Reserved)
	release(t, r)
	again := reserve(t, h, e, replay.Reserved)
	// The first owner must not affect the second one's reservation.
	release(t, r)
	deliver(t, r)
	reserve(t, h, e, replay.InFlight)
	deliver(t, again)
	release(t, again)
	reserve(t, h, e, replay.Duplicate)
}

func survivesReload(t *testing.T, s Subject) {
	old := s.Open(t, "label")
	e := replay.Event{Content: Key(1)}
	deliver(t, reserve(t, old, e, replay.Reserved))
	inFlight := reserve(t, old, replay.Event{Content: Key(2)}, replay.Reserved)

	reloaded := s.Open(t, "label")
	reserve(t, reloaded, e, replay.Duplicate)
	reserve(t, reloaded, replay.Event{Content: Key(2)}, replay.InFlight)
	// The last request of the old configuration ends after the reload.
	deliver(t, inFlight)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	reserve(t, reloaded, e, replay.Duplicate)
	reserve(t, reloaded, replay.Event{Content: Key(2)}, replay.Duplicate)

	// A configuration that fails to load closes its share and changes nothing.
	if err := s.Open(t, "label").Close(); err != nil {
		t.Fatal(err)
	}
	reserve(t, reloaded, e, replay.Duplicate)
}

func labelsAreApart(t *testing.T, s Subject) {
	e := replay.Event{Content: Key(1)}
	deliver(t, reserve(t, s.Open(t, "one"), e, replay.Reserved))
	deliver(t, reserve(t, s.Open(t, "other"), e, replay.Reserved))
}

func forgottenIsFree(t *testing.T, s Subject) {
	h := s.Open(t, "label")
	forget := func(k replay.Key, want replay.Status) {
		t.Helper()
		if status, err := h.Forget(context.Background(), k); err != nil || status != want {
			t.Fatalf("forget: %v (%v), want %v", status, err, want)
		}
	}
	e := replay.Event{Content: Key(1), Occurrence: Key(2), Unsigned: 3}
	forget(e.Content, replay.Unknown)
	r := reserve(t, h, e, replay.Reserved)
	forget(e.Content, replay.InFlight)
	deliver(t, r)
	deliver(t, reserve(t, h, replay.Event{Content: Key(7), Occurrence: Key(8)}, replay.Reserved))
	forget(e.Content, replay.Forgotten)
	forget(e.Content, replay.Unknown)
	// The occurrence ID is free too, but nothing else.
	deliver(t, reserve(t, h, replay.Event{Content: Key(5), Occurrence: Key(2)}, replay.Reserved))
	reserve(t, h, replay.Event{Content: Key(7), Occurrence: Key(8)}, replay.Duplicate)
	deliver(t, reserve(t, h, replay.Event{Content: Key(1), Occurrence: Key(9)}, replay.Reserved))
}

func leaseExpires(t *testing.T, s Subject) {
	h := s.Open(t, "label")
	kept := reserve(t, h, replay.Event{Content: Key(1), Occurrence: Key(2)}, replay.Reserved)
	if s.Lease == 0 {
		// Only settling ends a reservation.
		s.Advance(1000 * TTL)
		reserve(t, h, replay.Event{Content: Key(1), Occurrence: Key(2)}, replay.InFlight)
		deliver(t, kept)
		return
	}
	lost := reserve(t, h, replay.Event{Content: Key(3), Occurrence: Key(4)}, replay.Reserved)
	s.Abandon(lost)
	s.Advance(s.Lease + s.Lease/2)
	reserve(t, h, replay.Event{Content: Key(1), Occurrence: Key(2)}, replay.InFlight)
	again := reserve(t, h, replay.Event{Content: Key(3), Occurrence: Key(4)}, replay.Reserved)
	// The first owner returns: it cannot release a reservation that it has lost,
	// but an event that it has delivered counts as delivered.
	release(t, lost)
	reserve(t, h, replay.Event{Content: Key(3), Occurrence: Key(4)}, replay.InFlight)
	release(t, again)
	deliver(t, kept)
}

func errorsAreErrors(t *testing.T, s Subject) {
	if s.Broken == nil {
		return
	}
	h := s.Broken(t)
	if r, status, err := h.Reserve(context.Background(), replay.Event{Content: Key(1)}); err == nil || r != nil {
		t.Errorf("reserve: %v %v", status, r)
	}
	if status, err := h.Forget(context.Background(), Key(1)); err == nil {
		t.Errorf("forget: %v", status)
	}
}

// patience limits every wait; only a failing test waits that long.
const patience = 30 * time.Second

// deadlinesAreKept checks that a call ends with its context although the store
// does not respond, and that a settled reservation is not lost.
func deadlinesAreKept(t *testing.T, s Subject) {
	if s.Hang == nil {
		t.Skip("this store waits for nothing")
	}
	h, hang, resume := s.Hang(t)
	known := replay.Event{Content: Key(1)}
	deliver(t, reserve(t, h, known, replay.Reserved))
	toDeliver, toRelease := replay.Event{Content: Key(2), Occurrence: Key(3)}, replay.Event{Content: Key(4), Occurrence: Key(5)}
	delivered, released := reserve(t, h, toDeliver, replay.Reserved), reserve(t, h, toRelease, replay.Reserved)
	hang()
	defer resume()
	for _, call := range []struct {
		name  string
		fails bool // it needs the store
		do    func(context.Context) error
	}{
		{"deliver", true, delivered.Deliver},
		{"release", false, released.Release},
		{"forget", true, func(ctx context.Context) error { _, err := h.Forget(ctx, known.Content); return err }},
		{"reserve", false, func(ctx context.Context) error {
			r, _, err := h.Reserve(ctx, replay.Event{Content: Key(6)})
			if r != nil {
				_ = r.Release(ctx)
			}
			return err
		}},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		ended := make(chan error, 1)
		go func() { ended <- call.do(ctx) }()
		select {
		case err := <-ended:
			if call.fails && err == nil {
				t.Errorf("%s: no error from a store that hangs", call.name)
			}
		case <-time.After(patience):
			t.Errorf("%s goes on after its deadline", call.name)
		}
		cancel()
	}
	resume()
	for e, want := range map[replay.Event]replay.Status{toDeliver: replay.Duplicate, toRelease: replay.Reserved} {
		await(t, h, e, want)
	}
}

// await reserves an event repeatedly until the status is the wanted one.
func await(t *testing.T, h replay.History, e replay.Event, want replay.Status) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		r, status, err := h.Reserve(context.Background(), e)
		if r != nil {
			release(t, r)
		}
		if err == nil && status == want {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v (%v) after %v, want %v", status, err, patience, want)
		}
	}
}
