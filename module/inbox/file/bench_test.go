package file

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/inbox/inboxtest"
	"github.com/hooklatch/hooklatch/module/internal/boltfile"
)

// benchmarked opens an inbox for a benchmark. TMPDIR selects the disk.
func benchmarked(b *testing.B, path string) *view {
	b.Helper()
	s := &Store{Path: path, Options: inbox.Options{MaxSize: 1 << 40}}
	ctx := configuration(b)
	if err := s.Provision(ctx); err != nil {
		b.Fatal(err)
	}
	in, err := s.Open(inbox.OpenOptions{Owner: inboxtest.Owner, Context: ctx})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closed(b, in.(*view)) })
	return in.(*view)
}

// withoutSync switches syncing off for the part of a benchmark that is not
// measured.
func withoutSync(v *view, without bool) {
	db, _ := v.box.DB()
	db.NoSync = without
}

// BenchmarkSync writes 4 KiB at the end of a file and syncs it. It shows what
// the disk allows, for comparison with the other benchmarks.
func BenchmarkSync(b *testing.B) {
	file, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	content := make([]byte, 4096)
	for b.Loop() {
		if _, err := file.Write(content); err != nil {
			b.Fatal(err)
		}
		if err := file.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "syncs/s")
}

// BenchmarkKeep keeps deliveries, several at once. An iteration is one
// delivery.
//
//	go test -run '^$' -bench 'Sync|Keep' ./module/inbox/file
func BenchmarkKeep(b *testing.B) {
	for _, size := range []int{2 << 10, 1 << 20, 5 << 20} {
		for _, atOnce := range []int{1, 16, 64} {
			if size > 2<<10 && atOnce > 1 {
				continue
			}
			b.Run(fmt.Sprintf("%dKiB/at-once-%d", size>>10, atOnce), func(b *testing.B) {
				v := benchmarked(b, newPath(b))
				keepMany(b, v, atOnce, b.N, size)
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "kept/s")
			})
		}
	}
}

var lastDelivery atomic.Uint64

// keepMany keeps n deliveries under new keys, and releases them.
func keepMany(b *testing.B, v *view, atOnce, n, size int) {
	b.Helper()
	body := inboxtest.Body(1, size)
	var left atomic.Int64
	left.Store(int64(n))
	done := make(chan error, atOnce)
	if b.N == n {
		b.ResetTimer()
	}
	for range atOnce {
		go func() {
			for left.Add(-1) >= 0 {
				h, err := v.Keep(context.Background(), spread(lastDelivery.Add(1)), body)
				if err != nil {
					done <- err
					return
				}
				h.Release()
			}
			done <- nil
		}()
	}
	for range atOnce {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// spread returns a delivery whose key is as unordered as a hash.
func spread(n uint64) inbox.Entry {
	e := inboxtest.Delivery(n)
	z := n * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	e.Keys.Content = inboxtest.Key(z ^ z>>27)
	return e
}

// BenchmarkAttempt takes entries that are due and finishes them.
func BenchmarkAttempt(b *testing.B) {
	v := benchmarked(b, newPath(b))
	withoutSync(v, true)
	keepMany(b, v, 64, b.N+1, 2<<10)
	withoutSync(v, false)
	b.ResetTimer()
	for range b.N {
		h, ok, err := v.Take()
		if err != nil || !ok {
			b.Fatal(ok, err)
		}
		if err := h.Finish(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHalfMillion opens a file with 500,000 deliveries of 1 KiB, and keeps
// and finishes some.
//
//	go test -run '^$' -bench HalfMillion -benchtime 1x -timeout 60m ./module/inbox/file
func BenchmarkHalfMillion(b *testing.B) {
	const entries, some = 500_000, 500
	path := filepath.Join(b.TempDir(), "inbox.db")
	for range b.N {
		v := benchmarked(b, path)
		measure := func(what string) {
			began := time.Now()
			keepMany(b, v, 1, some, 1<<10)
			b.ReportMetric(float64(time.Since(began).Microseconds())/some, "µs-to-keep-"+what)
			began = time.Now()
			for range some {
				h, ok, err := v.Take()
				if err != nil || !ok {
					b.Fatal(ok, err)
				}
				if err := h.Finish(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(time.Since(began).Microseconds())/some, "µs-to-finish-"+what)
		}
		measure("empty")
		withoutSync(v, true)
		keepMany(b, v, 256, entries, 1<<10)
		withoutSync(v, false)
		flush(b, v)
		measure("full")
		info, err := os.Stat(path)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB-file")
		b.ReportMetric(float64(v.count().bytes)/(1<<20), "MiB-kept")
		closed(b, v)

		before := memory(b)
		began := time.Now()
		v = benchmarked(b, path)
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "ms-to-open")
		after := memory(b)
		b.ReportMetric(after["RssAnon"]-before["RssAnon"], "MiB-anon")
		b.ReportMetric(after["RssFile"]-before["RssFile"], "MiB-mapped")
		began = time.Now()
		if c := v.Counts(); c.Waiting != entries {
			b.Fatalf("%+v", c)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds()), "µs-to-count")
		closed(b, v)
	}
}

// flush makes writes without syncing durable.
func flush(b *testing.B, v *view) {
	b.Helper()
	w := boltfile.NewWrite(func(*bbolt.Tx) error { return nil })
	v.box.Enqueue(w)
	if err := w.Wait(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// memory returns the memory of the process, in MiB.
func memory(b *testing.B) map[string]float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	sizes := map[string]float64{}
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		fields := append(strings.Fields(rest), "", "")
		if n, err := strconv.Atoi(fields[0]); err == nil && fields[1] == "kB" {
			sizes[name] = float64(n) / 1024
		}
	}
	return sizes
}
