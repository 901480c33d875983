package file

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/replay/memory"
)

// BenchmarkDelivery reserves and delivers events, several at once, in a file
// and in memory. An iteration is one delivery. TMPDIR selects the disk.
//
//	go test -run '^$' -bench Delivery ./module/replay/file
func BenchmarkDelivery(b *testing.B) {
	for _, atOnce := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("file/at-once-%d", atOnce), func(b *testing.B) {
			deliverMany(b, benchmarked(b), atOnce)
		})
		b.Run(fmt.Sprintf("file-without-fsync/at-once-%d", atOnce), func(b *testing.B) {
			v := benchmarked(b)
			withoutSync(v)
			deliverMany(b, v, atOnce)
		})
		b.Run(fmt.Sprintf("memory/at-once-%d", atOnce), func(b *testing.B) {
			s := &memory.Store{Size: 1 << 24}
			ctx := configuration(b)
			if err := s.Provision(ctx); err != nil {
				b.Fatal(err)
			}
			h, err := s.Open(replay.OpenOptions{Label: b.Name(), TTL: time.Hour, Context: ctx})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = h.Close() })
			deliverMany(b, h, atOnce)
		})
	}
}

func benchmarked(b *testing.B) *view {
	path := filepath.Join(b.TempDir(), "history.db")
	v, err := (&Store{path: path, now: time.Now}).Open(replay.OpenOptions{Label: "label", TTL: time.Hour, Context: configuration(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closed(b, v.(*view)) })
	return v.(*view)
}

var lastEvent atomic.Uint64

func deliverMany(b *testing.B, h replay.History, atOnce int) {
	var left atomic.Int64
	left.Store(int64(b.N))
	done := make(chan error, atOnce)
	b.ResetTimer()
	for range atOnce {
		go func() {
			for left.Add(-1) >= 0 {
				r, status, err := h.Reserve(context.Background(), spread(lastEvent.Add(1)))
				if err == nil && status != replay.Reserved {
					err = fmt.Errorf("%v", status)
				}
				if err == nil {
					err = r.Deliver(context.Background())
				}
				if err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range atOnce {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
}

// BenchmarkMillion fills a file with a million events, with and without
// occurrence IDs, and opens it again.
//
//	go test -run '^$' -bench Million -benchtime 1x ./module/replay/file
func BenchmarkMillion(b *testing.B) {
	for _, occurrences := range []bool{false, true} {
		b.Run(fmt.Sprintf("occurrences=%v", occurrences), func(b *testing.B) {
			for range b.N {
				million(b, occurrences)
			}
		})
	}
}

func million(b *testing.B, occurrences bool) {
	const batch = 1000
	v := benchmarked(b)
	withoutSync(v)
	for range 1_000_000 / batch {
		var last *boltfile.Write
		for range batch {
			e := spread(lastEvent.Add(1))
			if !occurrences {
				e.Occurrence = replay.Key{}
			}
			last = v.history.delivery(e, v.ttl)
			v.history.database.Enqueue(last)
		}
		if err := last.Wait(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	info, err := os.Stat(v.path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
	counting := time.Now()
	if n, known := v.Entries(); n == 0 || !known {
		b.Fatalf("%d entries (known: %v)", n, known)
	}
	b.ReportMetric(float64(time.Since(counting).Microseconds()), "µs-to-count")
	closed(b, v)
	began := time.Now()
	again, err := open(v.path, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-to-open")
	if err := again.Destruct(); err != nil {
		b.Fatal(err)
	}
}
