package module

import (
	"context"
	"sync"
	"time"
)

// detached is a context with the values of a request and without its end.
type detached struct{ context.Context }

// Deadline, Done and Err say that it has no end.
func (detached) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }
func (detached) Done() <-chan struct{}                   { return nil }
func (detached) Err() error                              { return nil }

// storeContext is what a store gets: the values of a request, and a deadline of
// its own. Whoever asks for its end, as a store does that speaks to a server,
// has a timer made; the memory does not ask.
type storeContext struct {
	detached

	mu     sync.Mutex
	timed  context.Context // nil until somebody asks, which is when the time begins
	cancel context.CancelFunc
}

// begin readies it; end must be called.
func (c *storeContext) begin(values context.Context) *storeContext {
	c.detached = detached{values}
	return c
}

// end stops what was made.
func (c *storeContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
	}
}

func (c *storeContext) timer() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.cancel = context.WithTimeout(c.detached, storeWithin)
	}
	return c.timed
}

// Deadline gives the deadline.
func (c *storeContext) Deadline() (deadline time.Time, ok bool) { return c.timer().Deadline() }

// Done is closed at the deadline.
func (c *storeContext) Done() <-chan struct{} { return c.timer().Done() }

// Err is set from the deadline on.
func (c *storeContext) Err() error { return c.timer().Err() }

// Value gives the request's values. Once there is a timer it also leads to it,
// so that contexts which are derived from this one need no goroutine.
func (c *storeContext) Value(key any) any {
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return c.detached.Value(key)
}
