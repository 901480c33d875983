package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/replay/replaytest"
)

// elsewhere makes the history belong to another process.
func elsewhere(h *history) *history {
	h.local = newLocalReservations(h.local.id)
	return h
}

const shortLease = time.Second

// TestLocalReservations checks the answers that this process gives by itself.
func TestLocalReservations(t *testing.T) {
	o := newLocalReservations("")
	claim := func(content, occurrence, unsigned uint64, want replay.Status) *reservation {
		t.Helper()
		r := &reservation{event: replay.Event{Content: replaytest.Key(content), Unsigned: unsigned}}
		if occurrence != 0 {
			r.event.Occurrence = replaytest.Key(occurrence)
		}
		if status := o.claim(r); status != want {
			t.Errorf("%v, want %v", status, want)
		}
		return r
	}
	r := claim(1, 2, 3, replay.Reserved)
	again := claim(1, 2, 3, replay.InFlight)
	claim(1, 9, 4, replay.InFlight)
	claim(8, 2, 3, replay.InFlight)
	// The rejected claim left no trace and removed nothing.
	o.deliver(again)
	o.remove(again)
	claim(1, 2, 3, replay.InFlight)
	o.remove(claim(8, 9, 0, replay.Reserved))

	o.deliver(r)
	claim(1, 2, 3, replay.Duplicate)
	claim(1, 9, 3, replay.Duplicate)
	claim(1, 0, 4, replay.ContentConflict)
	claim(8, 2, 3, replay.OccurrenceConflict)
	// A content key is no occurrence key.
	o.remove(claim(2, 1, 0, replay.Reserved))
	if o.find(r.event.Content) != r || o.find(replaytest.Key(8)) != nil {
		t.Error("found something else")
	}

	o.remove(r)
	o.deliver(r)
	o.remove(claim(1, 2, 4, replay.Reserved))
	if len(o.contents)+len(o.occurrences)+len(o.delivered) != 0 {
		t.Errorf("something is left: %+v", o)
	}

	var first atomic.Int32
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if o.claim(&reservation{event: event(1)}) == replay.Reserved {
				first.Add(1)
			}
		})
	}
	group.Wait()
	if first.Load() != 1 {
		t.Errorf("%d are first", first.Load())
	}
}

// outage returns a history with an event in flight that the renewer does not
// reach until the test calls leave. So once Redis is back, the next delivery
// comes before the renewer.
func outage(t *testing.T, s *server) (h, reloaded *history, e replay.Event, r *reservation) {
	t.Helper()
	open := func(timeout time.Duration) *history {
		return opened(t, &Store{URLs: []string{s.url}, Timeout: caddy.Duration(timeout), Lease: caddy.Duration(shortLease)}, "label")
	}
	h, reloaded = open(shortTimeout), open(shortTimeout-time.Millisecond)
	for _, each := range []*history{h, reloaded} {
		awaitAnswer(t, each)
	}
	e = replay.Event{Content: replaytest.Key(1), Occurrence: replaytest.Key(2), Unsigned: 3}
	r = mustReserve(t, h, e)
	r.enter()
	return h, reloaded, e, r
}

func awaitAnswer(t *testing.T, h *history) {
	t.Helper()
	await(t, "redis to answer", func() bool {
		r, _, err := try(t, h, event(99))
		if r != nil {
			_ = r.Release(context.Background())
		}
		return err == nil
	})
}

func awaitExpired(t *testing.T, s *server, h *history, e replay.Event) {
	t.Helper()
	await(t, "the reservation to expire", func() bool {
		return s.mustDo(t, "EXISTS", h.contentKey(e.Content), h.occurrenceKey(e.Occurrence)) == "0"
	})
}

// TestDeliveredWhileRedisWasAway checks that an event that could not be
// recorded is a duplicate, even before the renewer has recorded it.
func TestDeliveredWhileRedisWasAway(t *testing.T) {
	s := serve(t)
	h, reloaded, e, r := outage(t, s)
	s.kill(t)
	if err := r.Deliver(context.Background()); err == nil {
		t.Fatal("recorded")
	}
	expect(t, h, e, replay.Duplicate)
	s.start(t)
	awaitAnswer(t, h)
	awaitAnswer(t, reloaded)
	awaitExpired(t, s, h, e)
	for _, each := range []*history{h, reloaded} {
		expect(t, each, e, replay.Duplicate)
		expect(t, each, replay.Event{Content: e.Content, Unsigned: 4}, replay.ContentConflict)
		expect(t, each, replay.Event{Content: replaytest.Key(5), Occurrence: e.Occurrence}, replay.OccurrenceConflict)
	}
	awaitExpired(t, s, h, e)

	r.leave()
	await(t, "the renewer to record it", r.isDone)
	if h.local.find(e.Content) != nil {
		t.Error("what is recorded is still kept")
	}
	expect(t, elsewhere(reloaded), e, replay.Duplicate)
}

// TestForgetUnrecorded checks that an event that an operator forgets is not
// recorded afterwards.
func TestForgetUnrecorded(t *testing.T) {
	s := serve(t)
	h, reloaded, e, r := outage(t, s)
	forget := func() (replay.Status, error) { return reloaded.Forget(context.Background(), e.Content) }
	expectInFlight := func() {
		t.Helper()
		if status, err := forget(); err != nil || status != replay.InFlight {
			t.Fatalf("%v (%v)", status, err)
		}
	}
	expectInFlight()
	s.kill(t)
	if err := r.Deliver(context.Background()); err == nil {
		t.Fatal("recorded")
	}
	expectInFlight() // its record may be in progress
	r.leave()
	await(t, "forget to ask redis in vain", func() bool {
		_, err := forget()
		return err != nil
	})
	expect(t, h, e, replay.Duplicate)

	// Redis comes back with the reservation, and no one has checked it yet.
	await(t, "the renewer to pause", r.takeUnrecorded)
	s.start(t)
	awaitAnswer(t, h)
	awaitAnswer(t, reloaded)
	for _, key := range r.keys {
		s.mustDo(t, "SET", key, r.owner)
	}
	r.leave()
	await(t, "it to be forgotten", func() bool {
		status, err := forget()
		return err == nil && status == replay.Forgotten
	})
	if !r.isDone() || h.local.find(e.Content) != nil {
		t.Error("it is still kept")
	}
	awaitExpired(t, s, h, e)
	expect(t, h, e, replay.Reserved)
}

// TestHeldWhileRedisHung checks that a running handler keeps its event, however
// long Redis does not respond.
func TestHeldWhileRedisHung(t *testing.T) {
	s := serve(t)
	h, reloaded, e, r := outage(t, s)
	began := time.Now()
	s.signal(t, syscall.SIGSTOP)
	await(t, "the lease to be over", func() bool { return time.Since(began) > shortLease })
	s.signal(t, syscall.SIGCONT)
	awaitAnswer(t, h)
	awaitAnswer(t, reloaded)
	awaitExpired(t, s, h, e)
	for _, each := range []*history{h, reloaded} {
		expect(t, each, e, replay.InFlight)
		expect(t, each, replay.Event{Content: replaytest.Key(5), Occurrence: e.Occurrence}, replay.InFlight)
	}
	r.leave()
	_ = r.Deliver(context.Background()) // if it fails, the renewer records it
	await(t, "it to be recorded", r.isDone)
	expect(t, elsewhere(reloaded), e, replay.Duplicate)
}
