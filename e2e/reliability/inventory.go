package main

import (
	"context"
	"fmt"
	"time"
)

// inventory is what the gateway holds while nobody asks it for anything.
type inventory struct {
	goroutines  int
	descriptors int
	buffered    int64 // bytes of bodies
}

func (i inventory) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %d bytes of bodies", i.goroutines, i.descriptors, i.buffered)
}

func takeInventory(ctx context.Context, g *gateway) (i inventory, err error) {
	i.descriptors = g.Descriptors()
	if i.goroutines, err = g.goroutines(ctx); err != nil {
		return i, err
	}
	i.buffered, err = g.buffered(ctx)
	return i, err
}

// awaitReturn waits until the gateway holds no more than before, and gives what
// it holds in the end.
func (i inventory) awaitReturn(ctx context.Context, g *gateway) (now inventory, returned bool, err error) {
	const (
		enough = 2 * time.Minute // QUIC forgets a silent connection after half a minute
		some   = 5               // what Caddy does meanwhile by itself
	)
	for end := time.Now().Add(enough); ; {
		now, err = takeInventory(ctx, g)
		returned = now.goroutines <= i.goroutines+some && now.descriptors <= i.descriptors+some && now.buffered <= i.buffered
		if err != nil || returned || time.Now().After(end) {
			return now, returned, err
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return now, false, err
		}
	}
}
