package main

import (
	"context"
	"fmt"
	"time"
)

// claims opens connections that declare 5 MiB and send none of it: a claim must
// cost neither memory nor room in the budget.
func claims(ctx context.Context, t *trial) error {
	app, err := startApplication("/hook")
	if err != nil {
		return err
	}
	defer app.stop()
	g, err := startGateway(ctx, t, site{application: app, options: []string{"body_timeout 10m"}})
	if err != nil {
		return err
	}
	defer g.Stop()
	honest := paced(g, app, t.protocol)
	honest.size = 128 * kib // has no share of the budget that is kept free for it
	idle, err := honest.lasting(ctx, t.extent.load)
	if err != nil {
		return err
	}
	before := g.Resident()
	claimants := drip(ctx, g, t.protocol, t.extent.claims, 0)
	defer claimants.stop()
	if err := claimants.awaitBegun(ctx); err != nil {
		return err
	}
	counted, err := g.buffered(ctx)
	if err != nil {
		return err
	}
	loaded, err := honest.lasting(ctx, t.extent.load)
	if err != nil {
		return err
	}
	const most = 256 // KiB for a connection that sends nothing, TLS and all
	each := (g.Resident() - before) / int64(claimants.total)
	open, fates := claimants.open(), app.tally()
	t.report(
		loaded.clean() && fates.whole() && open == claimants.total && counted == 0 && each <= most && loaded.p99() < time.Second,
		fmt.Sprintf("%d senders claim %d MiB in all and send nothing, for %v; the honest ones send 128 KiB", open, open*claimed/mib, t.extent.load),
		fmt.Sprintf("honest senders: %v; idle: p99 %v; %d KiB of memory a claim, %d bytes counted against the budget", loaded, round(idle.p99()), each, counted),
		fmt.Sprintf("each honest delivery accepted once and at once, p99 below 1s; at most %d KiB a claim, none of it counted", most),
	)
	return nil
}
