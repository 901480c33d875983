package main

import (
	"context"
	"fmt"
	"time"
)

// slow opens many connections that each begin a delivery and go on with one
// byte a second. The body may take long, so that all of them are held at the
// same time; then once more with the default, which ends them.
func slow(ctx context.Context, t *trial) error {
	app, err := startApplication("/hook")
	if err != nil {
		return err
	}
	defer app.stop()
	if err := slowHeld(ctx, t, app); err != nil {
		return err
	}
	return slowEnded(ctx, t, app)
}

func slowHeld(ctx context.Context, t *trial, app *application) error {
	g, err := startGateway(ctx, t, site{application: app, options: []string{"body_timeout 10m"}})
	if err != nil {
		return err
	}
	defer g.Stop()
	honest := paced(g, app, t.protocol)
	idle, err := honest.lasting(ctx, t.extent.load)
	if err != nil {
		return err
	}
	before := g.Resident()
	drips := drip(ctx, g, t.protocol, t.extent.connections, time.Second)
	defer drips.stop()
	if err := drips.awaitBegun(ctx); err != nil {
		return err
	}
	loaded, err := honest.lasting(ctx, t.extent.load)
	if err != nil {
		return err
	}
	held, each := drips.open(), (g.Resident()-before)/int64(t.extent.connections)
	fates := app.tally()
	t.report(
		loaded.clean() && fates.whole() && held == t.extent.connections && (loaded.p99() < time.Second || !t.extent.times),
		fmt.Sprintf("%d connections held open, one byte of body a second each, for %v", held, t.extent.load),
		fmt.Sprintf("honest senders: %v; idle: p99 %v; %d KiB of memory a connection%s", loaded, round(idle.p99()), each, drips.failure()),
		fmt.Sprintf("%d held, each honest delivery accepted once and at once, p99 below 1s", t.extent.connections),
	)
	return nil
}

func slowEnded(ctx context.Context, t *trial, app *application) error {
	const timeout = 2 * time.Second
	g, err := startGateway(ctx, t, site{application: app, options: []string{"body_timeout 2s"}})
	if err != nil {
		return err
	}
	defer g.Stop()
	drips := drip(ctx, g, t.protocol, min(t.extent.connections, 500), time.Second)
	defer drips.stop()
	began := time.Now()
	drips.group.Wait()
	took := time.Since(began)
	refused := int(drips.timedOut.Load())
	t.report(
		refused == drips.total && drips.unanswered.Load() == 0,
		fmt.Sprintf("the same with %d connections and body_timeout %v", drips.total, timeout),
		fmt.Sprintf("%d answered 408 body_timeout, %d without an answer, all ended within %v", refused, drips.unanswered.Load(), took.Round(time.Second)),
		"each answered 408 body_timeout",
	)
	return nil
}
