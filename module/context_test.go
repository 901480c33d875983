package module

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

type testKey struct{}

// TestStoreContext outlives the request whose values it has, and ends at its
// own time, also for contexts that are derived from it.
func TestStoreContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request, leave := context.WithCancel(context.WithValue(t.Context(), testKey{}, "value"))
		leave()
		var c storeContext
		c.begin(request)
		if err := c.Err(); err != nil || c.Value(testKey{}) != "value" {
			t.Fatalf("%v, %v", err, c.Value(testKey{}))
		}
		derived, cancel := context.WithCancel(&c)
		defer cancel()
		if deadline, ok := derived.Deadline(); !ok || time.Until(deadline) != storeWithin {
			t.Errorf("deadline in %v", time.Until(deadline))
		}
		time.Sleep(storeWithin - time.Millisecond)
		if err := derived.Err(); err != nil {
			t.Errorf("too early: %v", err)
		}
		time.Sleep(2 * time.Millisecond)
		for _, ctx := range []context.Context{&c, derived} {
			if <-ctx.Done(); !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Error(ctx.Err())
			}
		}
		c.end()
	})
}
