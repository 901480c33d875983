package redis

import (
	"context"
	"encoding/binary"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/replay/replaytest"
)

// spread returns a key that looks like a digest.
func spread(n uint64) (k replay.Key) {
	binary.BigEndian.PutUint64(k[:], n*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(k[8:], ^n*0xbf58476d1ce4e5b9)
	return k
}

// TestFigures measures the figures in the documentation about memory and
// commands:
//
//	FIGURES_EVENTS=2400000 go test -run TestFigures -v ./module/replay/redis
func TestFigures(t *testing.T) {
	entries := int64(1 << 12)
	if os.Getenv("THOROUGH") != "" {
		entries = 1 << 14
	}
	if text := os.Getenv("FIGURES_EVENTS"); text != "" {
		var err error
		if entries, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name       string
		occurrence bool
		commands   int64
		bytes      int64 // the most that an event may take
	}{
		{"without an occurrence ID", false, 2, 250},
		{"with an occurrence ID", true, 4, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t)
			h := opened(t, &Store{URLs: []string{s.url}}, "craneops")
			expect(t, h, event(0), replay.Reserved) // connects
			s.mustDo(t, "FLUSHALL")
			s.mustDo(t, "CONFIG", "RESETSTAT")
			used := s.info(t, "used_memory")
			began := time.Now()
			deliverMany(t, h, uint64(entries), c.occurrence)
			took := time.Since(began)
			commands := s.info(t, "total_commands_processed") - 2
			used = s.info(t, "used_memory") - used
			n := float64(entries)
			t.Logf("%d events, %.0f a second: %.2f commands and %.0f bytes of Redis' memory each, %d MiB in all",
				entries, n/took.Seconds(), float64(commands)/n, float64(used)/n, used>>20)
			if commands > (c.commands*entries)+entries/100 || used > c.bytes*entries {
				t.Error("more than documented")
			}
		})
	}
}

func deliverMany(t testing.TB, h *history, n uint64, occurrence bool) {
	t.Helper()
	var next atomic.Uint64
	done := make(chan struct{})
	const workers = 32
	for range workers {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := next.Add(1); i <= n; i = next.Add(1) {
				e := replay.Event{Content: spread(i), Unsigned: i}
				if occurrence {
					e.Occurrence = spread(^i)
				}
				r, status, err := h.Reserve(context.Background(), e)
				if err != nil || status != replay.Reserved {
					t.Errorf("%v %v", status, err)
					return
				}
				if err := r.Deliver(context.Background()); err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	for range workers {
		<-done
	}
}

// BenchmarkDeliver makes reservations and deliveries, many at once:
//
//	go test -run '^$' -bench Deliver ./module/replay/redis
func BenchmarkDeliver(b *testing.B) {
	for _, parallel := range []int{1, 32, 256} {
		b.Run(strconv.Itoa(parallel)+" at once", func(b *testing.B) {
			s := serve(b)
			h := opened(b, &Store{URLs: []string{s.url}}, "craneops")
			expect(b, h, replay.Event{Content: replaytest.Key(1)}, replay.Reserved)
			var next atomic.Uint64
			b.SetParallelism(parallel)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, _, err := h.Reserve(context.Background(), replay.Event{Content: spread(next.Add(1))})
					if err != nil {
						b.Error(err)
						return
					}
					if err := r.Deliver(context.Background()); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
