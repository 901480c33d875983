package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// inboxDisk fills the disk that the inbox is on while deliveries come, has the
// application take what waits while it is full, kills the gateway meanwhile, and
// makes room again. The disk is a small one of its own, which only root can
// mount.
func inboxDisk(ctx context.Context, t *trial) error {
	box, err := newBoxed()
	if err != nil {
		return err
	}
	defer box.remove()
	if said, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", box.dir).CombinedOutput(); err != nil {
		fmt.Printf("  skipped: mounting a small disk: %v: %s; module/inbox/file tests a full disk without\n", err, said)
		return nil
	}
	defer func() { _ = exec.Command("umount", "-l", box.dir).Run() }()
	rescued, kept, err := twoTakers()
	if err != nil {
		return err
	}
	defer rescued.stop()
	defer kept.stop()
	history, err := newBoxed() // on another disk
	if err != nil {
		return err
	}
	defer history.remove()
	options := func(more ...string) []string {
		return []string{history.history(), box.inbox(more...)}
	}
	g, err := startGateway(ctx, t, site{
		application: rescued.application, options: options(rescuing()...),
		beside: []hook{{kept.application, options(always()...)}},
		proxy:  namesProcess, env: []string{process(0)},
	})
	if err != nil {
		return err
	}
	defer g.Stop()
	rescued.set(down)
	kept.set(down)
	streams := []*traffic{
		{gateway: g, application: rescued.application, protocol: h1, senders: 4, size: 2 * kib, retry: 20 * time.Millisecond},
		{gateway: g, application: kept.application, protocol: h2, senders: 4, size: 96 * kib, retry: 20 * time.Millisecond}, // in files of their own
	}
	for _, s := range streams {
		s.start(ctx)
	}
	full, drained, again, err := fillAndDrain(ctx, g, box, rescued, kept)
	rescued.set(up)
	kept.set(up)
	refused := 0
	for _, s := range streams {
		refused += s.end().turnedAway()
	}
	if err != nil {
		return err
	}
	left, err := g.drained(ctx)
	if err != nil {
		return err
	}
	t.report(
		rescued.sound() && kept.sound() && full > 0 && refused > 0 && drained < full && again > 0 && left == 0,
		"the disk full in the middle, the gateway killed while it is, and room again",
		fmt.Sprintf("%d waited when the disk was full, and 5xx reached the senders %d times; %d of them waited after the application was up, the disk still full; with room %d more were kept; rescue: %v; always: %v; %d left in the end",
			full, refused, drained, again, rescued, kept, left),
		"what the inbox cannot keep gets the application's answer; what it keeps is delivered although the disk is full; nothing lost or changed; none left",
	)
	return nil
}

// fillAndDrain fills the disk, and returns how many waited then, how many of
// these still did when the application had been up with the disk full, and how
// many were kept when there was room again.
func fillAndDrain(ctx context.Context, g *gateway, box boxed, rescued, kept *taker) (full, drained, again int, err error) {
	ballast := filepath.Join(box.dir, "ballast")
	if err := g.awaitWaiting(ctx, 8); err != nil {
		return 0, 0, 0, err
	}
	_ = os.WriteFile(ballast, make([]byte, 8*mib), 0o600) // as much as there is room for
	if err := g.awaitErrors(ctx, 20); err != nil {
		return 0, 0, 0, err
	}
	if full, err = g.waiting(ctx); err != nil {
		return 0, 0, 0, err
	}
	g.Kill()
	if err := g.restartFull(ctx, ballast); err != nil {
		return 0, 0, 0, err
	}
	rescued.set(up)
	kept.set(up)
	if _, err := g.drained(ctx); err != nil {
		return 0, 0, 0, err
	}
	if drained, err = g.waiting(ctx); err != nil {
		return 0, 0, 0, err
	}
	rescued.set(down)
	kept.set(down)
	if err := os.Remove(ballast); err != nil {
		return 0, 0, 0, err
	}
	if err := g.awaitWaiting(ctx, drained+8); err != nil {
		return 0, 0, 0, err
	}
	again, err = g.waiting(ctx)
	return full, drained, again - drained, err
}

// awaitErrors waits until the inbox has failed so many times more.
func (g *gateway) awaitErrors(ctx context.Context, n float64) error {
	before, err := g.metric(ctx, "inbox_errors_total")
	for end := time.Now().Add(patience); err == nil && time.Now().Before(end); {
		var now float64
		if now, err = g.metric(ctx, "inbox_errors_total"); err == nil && now >= before+n {
			return nil
		}
		if errPause := pause(ctx, 20*time.Millisecond); errPause != nil {
			return errPause
		}
	}
	if err == nil {
		err = fmt.Errorf("the inbox does not fail %.0f times more", n)
	}
	return err
}

// restartFull starts the gateway again. It says that the disk is full until there
// is a little room, as an operator would make it.
func (g *gateway) restartFull(ctx context.Context, ballast string) error {
	for room := int64(0); ; room += 256 * kib {
		err := g.restart(ctx, process(1))
		if err == nil || room > 4*mib {
			return err
		}
		info, errStat := os.Stat(ballast)
		if errStat != nil {
			return errStat
		}
		if err := os.Truncate(ballast, max(info.Size()-256*kib, 0)); err != nil {
			return err
		}
	}
}
