package redis

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/replay/replaytest"
)

func event(n uint64) replay.Event { return replay.Event{Content: replaytest.Key(n), Unsigned: n} }

// ends fails the test if a call with a timeout does not end. How soon it ends
// depends on the machine, so only a hang counts as too long.
func ends(t testing.TB, what string, call func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		call()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s does not end", what)
	}
}

// try reserves an event. The call must end, whatever Redis does.
func try(t testing.TB, h *history, e replay.Event) (r replay.Reservation, status replay.Status, err error) {
	t.Helper()
	ends(t, "reserve", func() { r, status, err = h.Reserve(context.Background(), e) })
	return r, status, err
}

func mustReserve(t testing.TB, h *history, e replay.Event) *reservation {
	t.Helper()
	var reserved *reservation
	failed := false // on a busy machine Redis may take longer than a timeout
	await(t, "a reservation", func() bool {
		r, status, err := h.Reserve(context.Background(), e)
		if err == nil && status != replay.Reserved && !failed {
			t.Fatalf("%v", status)
		}
		failed = failed || err != nil
		if r != nil {
			reserved = r.(*reservation)
		}
		return reserved != nil
	})
	return reserved
}

func expect(t testing.TB, h *history, e replay.Event, want replay.Status) {
	t.Helper()
	var r replay.Reservation
	var status replay.Status
	failed := false
	await(t, "redis to answer", func() (answered bool) {
		var err error
		r, status, err = h.Reserve(context.Background(), e)
		failed = failed || err != nil
		return err == nil && (status == want || !failed)
	})
	if status != want {
		t.Fatalf("%v, want %v", status, want)
	}
	if r != nil {
		_ = r.Release(context.Background())
	}
}

// isDone reports whether the reservation needs no more work.
func (r *reservation) isDone() bool {
	r.history.mu.Lock()
	defer r.history.mu.Unlock()
	_, kept := r.history.reservations[r]
	return !kept
}

const shortTimeout = 250 * time.Millisecond

// TestWhateverRedisDoes checks that every failure of Redis is an error and not
// a hang, and that the store recovers without a restart. Each case undoes what
// it does to Redis.
func TestWhateverRedisDoes(t *testing.T) {
	for name, c := range map[string]struct {
		args     []string
		do, undo func(t *testing.T, s *server)
		says     string
		forgets  bool // Forget works even then, because it makes room
	}{
		"down": {
			do:   func(t *testing.T, s *server) { s.kill(t) },
			undo: func(t *testing.T, s *server) { s.start(t) },
			says: "connection refused",
		},
		"hanging": {
			do:   func(t *testing.T, s *server) { s.signal(t, syscall.SIGSTOP) },
			undo: func(t *testing.T, s *server) { s.signal(t, syscall.SIGCONT) },
			says: "did not answer in time",
		},
		"loading": {
			// It loads for longer than the test takes, and answers after every key.
			args: []string{"--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024", "--rdbcompression", "no"},
			do: func(t *testing.T, s *server) {
				s.mustDo(t, "EVAL", "for i = 1, 2000 do redis.call('SET', 'k' .. i, string.rep('x', 1024)) end return 1", "0")
				s.mustDo(t, "SAVE")
				s.kill(t)
				s.start(t)
			},
			undo: func(t *testing.T, s *server) {
				s.kill(t)
				s.args = nil
				s.start(t)
			},
			says: "LOADING",
		},
		"read-only": {
			do:   func(t *testing.T, s *server) { s.mustDo(t, "REPLICAOF", "127.0.0.1", freePort(t)) },
			undo: func(t *testing.T, s *server) { s.mustDo(t, "REPLICAOF", "NO", "ONE") },
			says: "READONLY",
		},
		"out of memory": {
			do:   func(t *testing.T, s *server) { s.mustDo(t, "CONFIG", "SET", "maxmemory", "1") },
			undo: func(t *testing.T, s *server) { s.mustDo(t, "CONFIG", "SET", "maxmemory", "0") },
			says: "OOM", forgets: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.args...)
			refuse := opened(t, &Store{URLs: []string{s.url}, Timeout: caddy.Duration(shortTimeout)}, "refuse")
			forward := opened(t, &Store{URLs: []string{s.url}, Timeout: caddy.Duration(shortTimeout), OnError: ErrorForward}, "forward")
			core, logs := observer.New(zap.ErrorLevel)
			forward.logger = zap.New(core)
			failures := 0
			forward.failed = func() { failures++ }
			await(t, "a first connection", func() bool {
				r, _, err := try(t, refuse, event(1))
				if err == nil {
					_ = r.Deliver(context.Background())
				}
				return err == nil
			})
			inFlight := mustReserve(t, refuse, event(2))
			expect(t, forward, event(1), replay.Reserved)
			c.do(t, s)

			var seen string
			for n := range uint64(3) {
				r, _, err := try(t, refuse, event(10+n))
				if err == nil || r != nil {
					t.Errorf("reserve: %v %v", r, err)
				}
				seen = fmt.Sprint(seen, err, "; ")
				r, status, err := try(t, forward, event(10+n))
				if err != nil || status != replay.Reserved {
					t.Fatalf("on_error forward: %v %v", status, err)
				}
				if err := r.Deliver(context.Background()); err != nil {
					t.Error(err)
				}
				if status, err := refuse.Forget(context.Background(), replaytest.Key(1)); (err == nil) != c.forgets {
					t.Errorf("forget: %v %v", status, err)
				}
			}
			if !strings.Contains(seen, c.says) {
				t.Errorf("the errors are %s, none says %s", seen, c.says)
			}
			if entries := logs.All(); len(entries) != 1 || entries[0].ContextMap()["deliveries"] != int64(1) {
				t.Errorf("on_error forward logs %v", entries)
			}
			if failures != 3 {
				t.Errorf("on_error forward tells of %d failures", failures)
			}
			// The application has answered, and its answer must go out.
			ends(t, "deliver", func() {
				if err := inFlight.Deliver(context.Background()); err == nil {
					t.Error("delivered")
				}
			})

			c.undo(t, s)
			await(t, "redis to come back", func() bool {
				_, _, err := try(t, refuse, event(1))
				return err == nil
			})
			// Events that could not be recorded are recorded now, and rejected
			// ones leave nothing behind.
			await(t, "what was delivered to be recorded", func() bool { return inFlight.isDone() })
			expect(t, refuse, event(2), replay.Duplicate)
			for n := range uint64(3) {
				await(t, "what was refused to be free", func() bool {
					r, status, err := try(t, refuse, event(10+n))
					if r != nil {
						_ = r.Release(context.Background())
					}
					return err == nil && status == replay.Reserved
				})
				expect(t, forward, event(10+n), replay.Reserved)
			}
		})
	}
}

// TestFloodWhileRedisHangs checks that every delivery gets an error, however
// many wait, and that Redis accepts new ones when it is back.
func TestFloodWhileRedisHangs(t *testing.T) {
	const many = 3 * mostBusy
	s := serve(t)
	h := opened(t, &Store{URLs: []string{s.url}, Timeout: caddy.Duration(shortTimeout)}, "flood")
	await(t, "a first connection", func() bool {
		_, status, err := try(t, h, event(1))
		return err == nil && status == replay.Reserved
	})
	s.signal(t, syscall.SIGSTOP)
	var answers atomic.Int64
	ends(t, "the flood", func() {
		var group sync.WaitGroup
		for n := range uint64(many) {
			group.Go(func() {
				if _, _, err := h.Reserve(context.Background(), event(n+2)); err == nil {
					answers.Add(1)
				}
			})
		}
		group.Wait()
	})
	if n := answers.Load(); n != 0 {
		t.Errorf("redis answered %d deliveries", n)
	}
	s.signal(t, syscall.SIGCONT)
	await(t, "redis to come back", func() bool {
		_, status, err := try(t, h, event(0))
		return err == nil && status == replay.Reserved
	})
	// Reservations that Redis made after their callers had stopped waiting are
	// released. The two that were reserved stay.
	await(t, "what was refused to be free", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.reservations) == 2
	})
	if n := s.mustDo(t, "DBSIZE"); n != "2" {
		t.Errorf("%s keys are left", n)
	}
}

// TestLostInRedis restarts Redis without its data. The handler of an event that
// is being handled reserves it again.
func TestLostInRedis(t *testing.T) {
	s := newStage(serve(t))
	h := s.open(t, &Store{}, "label")
	e := replay.Event{Content: replaytest.Key(1), Occurrence: replaytest.Key(2)}
	r := mustReserve(t, h, e)
	s.mustDo(t, "FLUSHALL")
	s.advance(t, defaultLease/2)
	expect(t, h, e, replay.InFlight)
	if err := r.Release(context.Background()); err != nil {
		t.Fatal(err)
	}
	expect(t, h, e, replay.Reserved)

	// This does not happen if another gateway has the event.
	core, logs := observer.New(zap.WarnLevel)
	h.logger = zap.New(core)
	r = mustReserve(t, h, e)
	s.mustDo(t, "FLUSHALL")
	other := mustReserve(t, elsewhere(s.open(t, &Store{}, "label")), e)
	s.advance(t, defaultLease)
	expect(t, h, e, replay.InFlight)
	if logs.Len() != 1 {
		t.Errorf("log: %v", logs.All())
	}
	_ = r.Release(context.Background())
	expect(t, h, e, replay.InFlight)
	_ = other.Deliver(context.Background())
	expect(t, h, e, replay.Duplicate)
}

// TestForeignValues checks that a value that this store has not written is an
// error and not a guess.
func TestForeignValues(t *testing.T) {
	s := newStage(serve(t))
	h := s.open(t, &Store{}, "label")
	e := replay.Event{Content: replaytest.Key(1), Occurrence: replaytest.Key(2)}
	for _, set := range [][]string{
		{"SET", h.contentKey(e.Content), ""},
		{"SET", h.contentKey(e.Content), "1"},
		{"SET", h.contentKey(e.Content), "d:0000000000000000:x"},
		{"LPUSH", h.contentKey(e.Content), "x"},
		{"LPUSH", h.occurrenceKey(e.Occurrence), "x"},
	} {
		s.mustDo(t, "FLUSHALL")
		s.mustDo(t, set...)
		// A value that is not a reservation is a delivered one: a conflict does
		// not require that it can be parsed.
		r, status, err := h.Reserve(context.Background(), e)
		if err == nil && status != replay.ContentConflict {
			t.Errorf("%v: %v", set, status)
		}
		if r != nil {
			t.Errorf("%v: reserved", set)
		}
		if n := s.mustDo(t, "DBSIZE"); n != "1" {
			t.Errorf("%v: %s keys are left", set, n)
		}
	}
	s.mustDo(t, "FLUSHALL")
	s.mustDo(t, "SET", h.contentKey(e.Content), "1")
	if status, err := h.Forget(context.Background(), e.Content); err == nil {
		t.Errorf("forget: %v", status)
	}
}

// TestAwayForLong checks that events that the application took while Redis was
// away are recorded when it is back, however long that takes. A closed history
// gives up in the end, and logs that.
func TestAwayForLong(t *testing.T) {
	for name, c := range map[string]struct {
		closes bool
		want   replay.Status
		logged int
	}{
		"running": {false, replay.Duplicate, 0},
		"closed":  {true, replay.Reserved, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t)
			g := newStage(s)
			h, other := g.open(t, &Store{}, "label"), elsewhere(g.open(t, &Store{}, "label"))
			core, logs := observer.New(zap.ErrorLevel)
			h.logger = zap.New(core)
			awaitAnswer(t, h)
			r := mustReserve(t, h, event(1))
			s.kill(t)
			if err := r.Deliver(t.Context()); err == nil {
				t.Fatal("recorded")
			}
			if c.closes {
				if err := h.Close(); err != nil {
					t.Fatal(err)
				}
			}
			g.mu.Lock()
			g.at = g.at.Add(closedWithin + time.Minute)
			g.mu.Unlock()
			h.look(g.now())
			s.start(t)
			awaitAnswer(t, other)
			g.advance(t, defaultLease) // until the next attempt
			expect(t, other, event(1), c.want)
			if n := logs.FilterMessageSnippet("too long to record").Len(); n != c.logged {
				t.Errorf("said %d times that it was given up, want %d: %v", n, c.logged, logs.All())
			}
		})
	}
}
