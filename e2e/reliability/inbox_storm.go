package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// inboxStorm has everything happen at once: a new configuration every 200 ms and a
// kill now and then, while the application goes up, down, resets and is slow by turns,
// and so in the middle of a drain. Some senders hang up while their attempt runs, others
// forge, and the inbox has little room.
func inboxStorm(ctx context.Context, t *trial) error {
	p, err := startPair(ctx, t, "max_size 512KiB")
	if err != nil {
		return err
	}
	defer p.stop()
	g, rescued, kept := p.gateway, p.rescued, p.kept
	p.send(ctx, paced(g, rescued.application, h1), paced(g, kept.application, h2))
	storming, calm := context.WithCancel(ctx)
	defer calm()
	var rude sync.WaitGroup
	var hungUp, forged atomic.Int64
	for _, app := range []*taker{rescued, kept} {
		for range 4 {
			rude.Go(func() { hangUp(storming, g, app.application, &hungUp, &forged) })
		}
	}
	reloads, kills := 0, 0
	for end := time.Now().Add(t.extent.reloading); err == nil && time.Now().Before(end); {
		rescued.set(condition(rand.IntN(int(conditions))))
		kept.set(condition(rand.IntN(int(conditions))))
		for range 5 {
			if err = pause(ctx, 200*time.Millisecond); err != nil {
				break
			}
			reloads++
			if err = g.reload(ctx, fmt.Sprint(reloads)); err != nil {
				break
			}
		}
		if err == nil && rand.IntN(2) == 0 {
			kills++
			g.Kill()
			err = g.restart(ctx, process(kills))
		}
	}
	calm()
	rude.Wait()
	_, gaveUp := p.end()
	if err != nil {
		return err
	}
	left, err := g.drained(ctx)
	if err != nil {
		return err
	}
	t.report(
		rescued.sound() && kept.sound() && gaveUp == 0 && left == 0 && hungUp.Load() > 0 && forged.Load() == 0,
		fmt.Sprintf("%d reloads, %d times kill -9, the application flapping, %d senders that hang up, an inbox with little room", reloads, kills, hungUp.Load()),
		fmt.Sprintf("rescue: %v (%v); always: %v (%v); %d forgeries were accepted; %d left in the end",
			rescued, p.streams[0].served, kept, p.streams[1].served, forged.Load(), left),
		"nothing lost or changed, nothing repeated by one process, no forgery accepted, none left",
	)
	return nil
}

// hangUp sends and does not wait for the answer, and forges by turns.
func hangUp(ctx context.Context, g *gateway, a *application, hungUp, forged *atomic.Int64) {
	c := g.client(h1)
	defer c.close()
	for ctx.Err() == nil {
		d := a.next(2 * kib)
		soon, cancel := context.WithTimeout(ctx, time.Duration(rand.Int64N(int64(2*after))))
		if _, err := c.deliver(soon, a, d); err != nil {
			hungUp.Add(1)
		}
		cancel()
		d = a.next(2 * kib)
		if ans, err := c.post(ctx, a.path, newBody(d.n, d.size), int64(d.size), http.Header{
			"X-Craneops-Signature": {signature(d.n+1, d.size)}, "X-Craneops-Event": {"reliability"},
		}); err == nil && ans.accepted() {
			forged.Add(1)
		}
		_ = pause(ctx, 20*time.Millisecond)
	}
}
