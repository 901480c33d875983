package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// crowd is many senders with a delivery each, who send at the same time.
type crowd struct {
	traffic
	clients    []*client
	deliveries []delivery
}

// gather makes deliveries and opens a connection for each, so that what
// connections cost can be told from what bodies cost.
func gather(ctx context.Context, g *gateway, a *application, p protocol, senders, size int) (*crowd, error) {
	c := &crowd{traffic: traffic{gateway: g, application: a, protocol: p, size: size, retry: 250 * time.Millisecond}}
	c.served = served{refused: map[string]int{}}
	for range senders {
		c.clients = append(c.clients, g.client(p))
		c.deliveries = append(c.deliveries, a.next(size))
	}
	failed := make([]error, senders)
	opening := make(chan struct{}, 64) // as many handshakes at a time
	for i, client := range c.clients {
		c.group.Go(func() {
			opening <- struct{}{}
			defer func() { <-opening }()
			_, failed[i] = client.post(ctx, "/respond", nil, 0, nil)
		})
	}
	c.group.Wait()
	if err := errors.Join(failed...); err != nil {
		c.leave()
		return nil, err
	}
	return c, nil
}

func (c *crowd) leave() {
	for _, client := range c.clients {
		client.close()
	}
}

// deliverAll returns when all deliveries have been accepted. refusedFirst, if
// set, is called after each first attempt that was not.
func (c *crowd) deliverAll(ctx context.Context, refusedFirst func(answer)) {
	for i, client := range c.clients {
		c.group.Go(func() {
			if refusedFirst != nil {
				ans, err := client.deliver(ctx, c.application, c.deliveries[i])
				if c.count(ans, err) {
					return
				}
				refusedFirst(ans)
			}
			c.deliver(ctx, client, c.deliveries[i])
		})
	}
	c.group.Wait()
	slices.Sort(c.served.took)
}

// gate opens once so many have arrived at it.
type gate struct {
	mu      sync.Mutex
	missing int
	open    chan struct{}
}

func newGate(missing int) *gate { return &gate{missing: missing, open: make(chan struct{})} }

// arrive counts one more and waits until the gate is open.
func (g *gate) arrive(ctx context.Context) {
	g.mu.Lock()
	if g.missing--; g.missing == 0 {
		close(g.open)
	}
	g.mu.Unlock()
	select {
	case <-g.open:
	case <-ctx.Done():
	}
}
