package redis

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/rueidis"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/replay/replaytest"
)

// stage holds the histories on one server and their common time.
type stage struct {
	*server
	mu        sync.Mutex
	at        time.Time
	histories []*history
}

func newStage(s *server) *stage { return &stage{server: s, at: time.Unix(1760000000, 0)} }

func (s *stage) now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at
}

// shiftScript lets time pass in Redis: it shortens the remaining time of every
// key, and deletes keys whose time is over.
const shiftScript = `
for _, key in ipairs(redis.call('KEYS', '*')) do
	redis.call('PEXPIRE', key, redis.call('PTTL', key) - tonumber(ARGV[1]))
end`

// advance lets time pass in steps. After each step the histories look for work.
func (s *stage) advance(t testing.TB, d time.Duration) {
	t.Helper()
	const looks = 6 // in a lease
	step := d
	if d < 10*defaultLease {
		step = defaultLease / looks
	}
	for ; d > 0; d -= step {
		step = min(step, d)
		s.mu.Lock()
		s.at = s.at.Add(step)
		s.mu.Unlock()
		if err := s.do(t, "EVAL", shiftScript, "0", fmt.Sprint(step.Milliseconds())).Error(); err != nil && !rueidis.IsRedisNil(err) {
			t.Fatal(err)
		}
		for _, h := range s.histories {
			h.look(s.now())
		}
	}
}

// open opens a history of the given store, or of the default one.
func (s *stage) open(t testing.TB, store *Store, label string) *history {
	t.Helper()
	if len(store.URLs) == 0 {
		store.URLs = []string{s.url}
	}
	store.now = s.now
	h := opened(t, store, label)
	s.histories = append(s.histories, h)
	return h
}

func opened(t testing.TB, store *Store, label string) *history {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if store.Timeout == 0 {
		store.Timeout = caddy.Duration(5 * time.Second) // long enough for a busy machine
	}
	if err := store.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if err := store.Validate(); err != nil {
		t.Fatal(err)
	}
	h, err := store.Open(replay.OpenOptions{Label: label, TTL: replaytest.TTL, Context: ctx})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h.(*history)
}

func TestContract(t *testing.T) {
	server := serve(t)
	var subjects int
	replaytest.Run(t, func(t *testing.T) replaytest.Subject {
		subjects++
		prefix := fmt.Sprintf("test-%d:", subjects)
		s := newStage(server)
		return replaytest.Subject{
			Open: func(t *testing.T, label string) replay.History {
				return s.open(t, &Store{Prefix: prefix}, label)
			},
			Advance: func(d time.Duration) { s.advance(t, d) },
			Lease:   defaultLease,
			Abandon: func(r replay.Reservation) {
				abandoned := r.(*reservation)
				abandoned.history.drop(abandoned)
			},
			Hang: func(t *testing.T) (h replay.History, hang, resume func()) {
				own := serve(t)
				h = opened(t, &Store{URLs: []string{own.url}, Timeout: caddy.Duration(time.Hour), Lease: caddy.Duration(4 * time.Hour)}, "label")
				hang = func() { own.signal(t, syscall.SIGSTOP) }
				return h, hang, sync.OnceFunc(func() { own.signal(t, syscall.SIGCONT) })
			},
			Broken: func(t *testing.T) replay.History {
				return opened(t, &Store{URLs: []string{"redis://127.0.0.1:" + freePort(t)}}, "label")
			},
		}
	})
}
