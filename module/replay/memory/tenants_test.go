package memory

import (
	"context"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/module/replay/replaytest"
)

// TestTenantThatSendsMuch: a full history drops entries of the tenant that has
// most, and none of the others, whatever is oldest.
func TestTenantThatSendsMuch(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	v := &view{history: newHistory(now), size: 10, ttl: time.Hour, now: func() time.Time { return now }, logger: zap.NewNop()}
	v.history.join(v)
	ctx := context.Background()
	event := func(tenant string, n uint64) replay.Event {
		return replay.Event{Tenant: tenant, Content: replaytest.Key(n)}
	}
	deliver := func(e replay.Event) {
		t.Helper()
		r, status, _ := v.Reserve(ctx, e)
		if status != replay.Reserved {
			t.Fatalf("%v: %v", e, status)
		}
		if err := r.Deliver(ctx); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(e replay.Event, want replay.Status) {
		t.Helper()
		r, status, _ := v.Reserve(ctx, e)
		if status != want {
			t.Errorf("%v: %v, want %v", e, status, want)
		}
		if r != nil {
			_ = r.Release(ctx)
		}
	}
	for n := range uint64(3) {
		deliver(event("quiet", n))
	}
	const loud = 100
	for n := range uint64(loud) {
		deliver(event("loud", loud+n))
	}
	if n, _ := v.Entries(); n != 10 {
		t.Errorf("%d entries", n)
	}
	for n := range uint64(3) {
		expect(event("quiet", n), replay.Duplicate)
	}
	expect(event("loud", loud), replay.Reserved)
	expect(event("loud", loud+93), replay.Duplicate)

	// What one tenant has, another one has not: the keys of real events differ
	// besides.
	expect(event("other", 0), replay.Reserved)

	if status, _ := v.Forget(ctx, replaytest.Key(1)); status != replay.Forgotten {
		t.Errorf("forgetting: %v", status)
	}
	expect(event("quiet", 1), replay.Reserved)

	// All of them expire, and the tenants with them.
	now = now.Add(2 * time.Hour)
	for n := range uint64(3) {
		expect(event("quiet", n), replay.Reserved)
	}
	for n := range uint64(loud) {
		expect(event("loud", loud+n), replay.Reserved)
	}
	if n, _ := v.Entries(); n != 0 || len(v.history.delivered.byName) != 0 || len(v.history.delivered.bySize) != 0 {
		t.Errorf("%d entries of %d tenants are left", n, len(v.history.delivered.byName))
	}
}
