package main

import (
	"context"
	"fmt"
	"time"
)

// bodiesMost is how much memory bodies may take at most, as a multiple of their
// size, beside what the idle process has. The servers of HTTP/2 and HTTP/3 take
// in a part of each body before a handler reads it: Go's HTTP/2 up to 1 MiB of
// each request, QUIC what its windows allow.
var bodiesMost = map[string]float64{"h1": 1.2, "h2": 2.2, "h3": 1.5}

// large delivers many large bodies, all of which the gateway holds at the same
// time, because the application answers none before it has them all.
func large(ctx context.Context, t *trial) error {
	app, err := startApplication("/hook")
	if err != nil {
		return err
	}
	defer app.stop()
	bodies, most := t.extent.bodies, bodiesMost[string(t.protocol)]*t.extent.slack
	g, err := startGateway(ctx, t, site{
		application: app,
		// An eighth is for small bodies.
		global:  fmt.Sprintf("verify_webhook {\n\t\tmax_buffered %dMiB\n\t}", bodies*8/7+1),
		options: []string{"body_timeout 2m", "answer_within 2m"},
	})
	if err != nil {
		return err
	}
	defer g.Stop()
	gate := newGate(bodies)
	hold := func(delivery) { gate.arrive(ctx) }
	app.hold.Store(&hold)

	idle := g.Resident()
	senders, err := gather(ctx, g, app, t.protocol, bodies, mib)
	if err != nil {
		return err
	}
	defer senders.leave()
	connected := g.Resident()
	g.ResetPeak()
	before, err := g.CPU()
	if err != nil {
		return err
	}
	began := time.Now()
	senders.deliverAll(ctx, nil)
	after, err := g.CPU()
	if err != nil {
		return err
	}
	peak, fates := g.Peak(), app.tally()
	factor := float64(peak-idle) / float64(bodies*kib)
	t.report(
		senders.served.clean() && fates.whole() && fates.accepted == bodies && factor <= most,
		fmt.Sprintf("%d deliveries of 1 MiB, answered only when the application has them all", bodies),
		fmt.Sprintf("%v (%v); peak memory %d MiB, idle %d MiB: %.2f times the bodies more; idle with the connections open %d MiB; %v, %v of CPU",
			fates, senders.served, peak/kib, idle/kib, factor, connected/kib, time.Since(began).Round(100*time.Millisecond), (after-before).Round(10*time.Millisecond)),
		fmt.Sprintf("each accepted once and at the first attempt, peak memory at most %.1f times the bodies and what the idle process has", most),
	)
	return nil
}
