package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// inboxKill kills the gateway at random moments under load, while the
// application is up, down, resets connections or is too slow, each for a while.
// One label rescues and the other keeps all; they share a file.
func inboxKill(ctx context.Context, t *trial) error {
	p, err := startPair(ctx, t)
	if err != nil {
		return err
	}
	defer p.stop()
	g, rescued, kept := p.gateway, p.rescued, p.kept
	const senders = 4
	p.send(ctx,
		&traffic{gateway: g, application: rescued.application, protocol: h1, senders: senders, size: 2 * kib, pause: 5 * time.Millisecond, retry: 5 * time.Millisecond},
		&traffic{gateway: g, application: kept.application, protocol: h2, senders: senders, size: 2 * kib, pause: 5 * time.Millisecond, retry: 5 * time.Millisecond},
	)
	waited := 0
	for n := range t.extent.rounds {
		for range 2 {
			rescued.set(condition(rand.IntN(int(conditions))))
			kept.set(condition(rand.IntN(int(conditions))))
			if err = pause(ctx, time.Duration(rand.Int64N(int64(300*time.Millisecond)))); err != nil {
				break
			}
		}
		g.Kill()
		if err == nil {
			err = g.restart(ctx, process(n+1))
		}
		if err != nil {
			break
		}
		n, errWaiting := g.waiting(ctx)
		waited, err = waited+n, errWaiting
		if err != nil {
			break
		}
	}
	cut, gaveUp := p.end()
	if err != nil {
		return err
	}
	left, err := g.drained(ctx)
	if err != nil {
		return err
	}
	// The attempts of a label, and the deliveries that it has given and not yet removed;
	// and of a sender the delivery that it sends, and the one before, whose attempt goes
	// on after it was answered.
	const places, removals = 4, 8 * 4
	const mostKept = places + removals
	most := 2*senders + mostKept
	if !t.extent.times {
		most *= 2 // on a busy machine, the one before that too
	}
	t.report(
		rescued.sound() && kept.sound() && left == 0 && gaveUp == 0 && rescued.most() <= most && kept.most() <= mostKept,
		fmt.Sprintf("%d times kill -9 under load, the application up, down, resetting and slow by turns", t.extent.rounds),
		fmt.Sprintf("rescue: %v; always: %v; of those that one process gave, at most %d and %d repeated; %d attempts cut off by a kill; %d waited at the starts; %d left in the end",
			rescued, kept, rescued.most(), kept.most(), cut, waited, left),
		fmt.Sprintf("nothing lost or changed, nothing repeated by one process; of each process at most what was in flight when it was killed, %d and %d; none left", most, mostKept),
	)
	return nil
}
