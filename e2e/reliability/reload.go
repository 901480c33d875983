package main

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"
)

// reload loads another configuration every second while deliveries come. Caddy
// itself leaves a connection without an answer now and then when it changes its
// listeners, so a plain `respond` is asked at the same time.
func reload(ctx context.Context, t *trial) error {
	app, err := startApplication("/hook")
	if err != nil {
		return err
	}
	defer app.stop()
	g, err := startGateway(ctx, t, site{application: app})
	if err != nil {
		return err
	}
	defer g.Stop()
	honest := paced(g, app, t.protocol)
	honest.fresh, honest.pause = true, 0
	reloads := 0
	var plain asked
	verified, err := honest.during(ctx, func() (err error) {
		running, stop := context.WithTimeout(ctx, t.extent.reloading)
		defer stop()
		var asking sync.WaitGroup
		asking.Go(func() { plain = askPlainly(ctx, running, g, t.protocol, honest.senders) })
		defer asking.Wait()
		for running.Err() == nil {
			if pause(running, time.Second) != nil {
				return ctx.Err()
			}
			reloads++
			if err := g.reload(ctx, fmt.Sprint(reloads)); err != nil {
				return fmt.Errorf("reload %d: %w", reloads, err)
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	fates := app.tally()
	attempts := len(verified.took) + verified.unanswered + verified.turnedAway()
	// Both are small numbers that vary by chance: three standard deviations of
	// their difference, and one.
	likely := float64(plain.unanswered) * float64(attempts) / float64(max(plain.attempts, 1))
	most := likely + 3*math.Sqrt(likely+float64(verified.unanswered)) + 1
	t.report(
		fates.whole() && verified.gaveUp == 0 && fates.accepted > 0 && float64(verified.unanswered) <= most,
		fmt.Sprintf("%d reloads, each attempt over a new connection", reloads),
		fmt.Sprintf("%v; %d of %d attempts without an answer; `respond` beside it: %d of %d", fates, verified.unanswered, attempts, plain.unanswered, plain.attempts),
		"none lost, none doubled, and no more attempts without an answer than `respond` leaves, within chance",
	)
	return nil
}

// asked is how requests to a plain `respond` fared.
type asked struct{ attempts, unanswered int }

func askPlainly(ctx, running context.Context, g *gateway, p protocol, senders int) asked {
	var mu sync.Mutex
	var group sync.WaitGroup
	var all asked
	for range senders {
		group.Go(func() {
			for running.Err() == nil {
				c := g.client(p)
				_, err := c.post(ctx, "/respond", newBody(0, 2*kib), 2*kib, nil)
				c.close()
				mu.Lock()
				all.attempts++
				if err != nil {
					all.unanswered++
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return all
}
