package memory

import (
	"context"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
)

// randomKeys returns keys that look like real ones, the beginnings of hashes.
func randomKeys(n int) []replay.Key {
	random := rand.NewChaCha8([32]byte{1})
	keys := make([]replay.Key, n)
	for i := range keys {
		_, _ = random.Read(keys[i][:])
	}
	return keys
}

func benchView(size int) *view {
	v := &view{history: newHistory(time.Now()), size: size, ttl: 24 * time.Hour, now: time.Now, logger: zap.NewNop()}
	v.history.join(v)
	return v
}

// BenchmarkPairs reserves and delivers on all processors at once, in a full
// history.
func BenchmarkPairs(b *testing.B) {
	const size = 1_000_000
	keys := randomKeys(4 * size)
	v := benchView(size)
	ctx := context.Background()
	for _, key := range keys[:size] {
		r, _, _ := v.Reserve(ctx, replay.Event{Content: key})
		_ = r.Deliver(ctx)
	}
	var next atomic.Int64
	next.Store(size)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			key := keys[int(next.Add(1))%len(keys)]
			if r, _, _ := v.Reserve(ctx, replay.Event{Content: key}); r != nil {
				_ = r.Deliver(ctx)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
}

// TestBytesPerKey checks that an entry takes at most 160 bytes in a history of
// the default size, and with THOROUGH in one of a million.
func TestBytesPerKey(t *testing.T) {
	const most = 160
	entries := 100_000
	if os.Getenv("THOROUGH") != "" {
		entries = 1_000_000
	}
	keys := randomKeys(entries)
	v := benchView(entries)
	ctx := context.Background()
	before := heapInUse()
	for _, key := range keys {
		r, _, _ := v.Reserve(ctx, replay.Event{Content: key})
		_ = r.Deliver(ctx)
	}
	each := float64(heapInUse()-before) / float64(entries)
	runtime.KeepAlive(v)
	runtime.KeepAlive(keys)
	t.Logf("%.0f bytes a key at %d keys", each, entries)
	if each > most {
		t.Errorf("%.0f bytes a key, want %d at most", each, most)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
