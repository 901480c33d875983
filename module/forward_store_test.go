package module

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestStoreContext outlives the request whose values it has, and ends at its
// own time.
func TestStoreContext(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		request, leave := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
		leave()
		ctx, cancel := storeContext(request)
		defer cancel()
		if err := ctx.Err(); err != nil || ctx.Value(key{}) != "value" {
			t.Fatalf("%v, %v", err, ctx.Value(key{}))
		}
		time.Sleep(storeWithin - time.Millisecond)
		if err := ctx.Err(); err != nil {
			t.Errorf("too early: %v", err)
		}
		time.Sleep(2 * time.Millisecond)
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			t.Error(ctx.Err())
		}
	})
}
