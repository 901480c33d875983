package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// inboxReload loads another configuration every second under load, by turns one
// that fails to start, while the application goes down and comes up.
func inboxReload(ctx context.Context, t *trial) error {
	p, err := startPair(ctx, t)
	if err != nil {
		return err
	}
	defer p.stop()
	g, rescued, kept := p.gateway, p.rescued, p.kept
	p.send(ctx, paced(g, rescued.application, t.protocol), paced(g, kept.application, t.protocol))
	// It claims that it can take what waits, and then cannot open its history.
	broken := g.site
	broken.more = []string{fmt.Sprintf(brokenRoute, filepath.Join(p.box.dir, "no such folder", "history.db"))}
	reloads, failed := 0, 0
	for end := time.Now().Add(t.extent.reloading); err == nil && time.Now().Before(end); {
		rescued.set(condition(reloads % int(conditions)))
		kept.set(condition((reloads + 1) % int(conditions)))
		if err = pause(ctx, time.Second); err != nil {
			break
		}
		reloads++
		if g.load(ctx, broken) != nil {
			failed++
		}
		err = g.reload(ctx, fmt.Sprint(reloads))
	}
	_, gaveUp := p.end()
	if err != nil {
		return err
	}
	left, err := g.drained(ctx)
	if err != nil {
		return err
	}
	t.report(
		rescued.sound() && kept.sound() && gaveUp == 0 && failed == reloads && left == 0,
		fmt.Sprintf("%d reloads and %d that fail, the application up, down, resetting and slow by turns", reloads, failed),
		fmt.Sprintf("rescue: %v; always: %v; %d left in the end", rescued, kept, left),
		"nothing lost, changed or repeated, none left",
	)
	return nil
}

const brokenRoute = `
	route /broken {
		verify_webhook craneops {env.RELIABILITY_SECRET} {
			provider broken
			replay file "%s"
		}
		respond 204
	}`

// inboxLong keeps and delivers many, with many reloads between, and looks at what
// the gateway holds afterwards.
func inboxLong(ctx context.Context, t *trial) error {
	box, app, end, err := startBoxed()
	if err != nil {
		return err
	}
	defer end()
	app.server.SetKeepAlivesEnabled(false) // or the gateway would keep connections to it
	g, err := startGateway(ctx, t, site{application: app.application, options: box.options(rescuing()...), proxy: namesProcess})
	if err != nil {
		return err
	}
	defer g.Stop()
	n := 0
	turn := func() error {
		n++
		app.set(down)
		if _, err := sendAll(ctx, g, app.application, h1, 8, t.extent.kept/t.extent.turns, 2*kib); err != nil {
			return err
		}
		if err := g.reload(ctx, fmt.Sprint(n)); err != nil {
			return err
		}
		app.set(up)
		_, err := g.drained(ctx)
		return err
	}
	if err := turn(); err != nil { // what is opened once is open
		return err
	}
	before, err := takeInventory(ctx, g)
	if err != nil {
		return err
	}
	for range t.extent.turns {
		if err := turn(); err != nil {
			return err
		}
	}
	now, returned, err := before.awaitReturn(ctx, g)
	if err != nil {
		return err
	}
	t.report(
		app.sound() && returned,
		fmt.Sprintf("%d kept and delivered, with %d reloads while they wait", app.taken(), n),
		fmt.Sprintf("%v; before %v, afterwards %v", app, before, now),
		"nothing lost, changed or repeated; goroutines, descriptors and bytes of bodies as before",
	)
	return nil
}
