package main

import (
	"context"
	"fmt"
	"sync/atomic"
)

// surplus sends more large bodies at the same time than the budget holds, and
// small ones meanwhile: what is too much is told to come again, and small ones
// have their reserved share.
func surplus(ctx context.Context, t *trial) error {
	app, err := startApplication("/hook")
	if err != nil {
		return err
	}
	defer app.stop()
	global := fmt.Sprintf("verify_webhook {\n\t\tmax_buffered %dMiB\n\t}", t.extent.budget)
	if t.extent.budget == defaultBudget {
		global = ""
	}
	g, err := startGateway(ctx, t, site{
		application: app, global: global, options: []string{"body_timeout 2m", "answer_within 2m"},
	})
	if err != nil {
		return err
	}
	defer g.Stop()
	// What the gateway has room for is held by the application until the rest
	// has been refused.
	bodies := t.extent.bodies
	gate := newGate(bodies)
	hold := func(d delivery) {
		if d.size >= mib {
			gate.arrive(ctx)
		}
	}
	app.hold.Store(&hold)
	small := paced(g, app, t.protocol)
	small.size = 16 * kib

	senders, err := gather(ctx, g, app, t.protocol, bodies, mib)
	if err != nil {
		return err
	}
	defer senders.leave()
	idle := g.Resident()
	g.ResetPeak()
	var overloaded, hasty atomic.Int64
	beside, err := small.during(ctx, func() error {
		senders.deliverAll(ctx, func(a answer) {
			if a.status == 503 && a.reason == "overloaded" {
				overloaded.Add(1)
			}
			if a.retryAfter == "" {
				hasty.Add(1)
			}
			gate.arrive(ctx) // or the retries would keep the budget full
		})
		return pause(ctx, 0)
	})
	if err != nil {
		return err
	}
	peak, fates := g.Peak(), app.tally()
	least := bodies - t.extent.budget*7/8
	t.report(
		int(overloaded.Load()) >= least && hasty.Load() == 0 && beside.clean() && senders.served.gaveUp == 0 &&
			fates.whole() && fates.accepted == bodies+len(beside.took),
		fmt.Sprintf("%d deliveries of 1 MiB with a budget of %d MiB, deliveries of 16 KiB beside them", bodies, t.extent.budget),
		fmt.Sprintf("%d refused overloaded at first; large: %v; small: %v; in all %v; peak memory %d MiB, %d MiB before",
			overloaded.Load(), senders.served, beside, fates, peak/kib, idle/kib),
		fmt.Sprintf("at least %d refused with a Retry-After, in the end each accepted once; small ones at the first attempt", least),
	)
	return nil
}

// defaultBudget is max_buffered's own value, in MiB.
const defaultBudget = 256
