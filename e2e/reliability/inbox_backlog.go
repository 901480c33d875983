package main

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"time"
)

// inboxBacklog has many deliveries wait while the application is down, starts the
// gateway with them, and lets the application take them as fast as it can.
func inboxBacklog(ctx context.Context, t *trial) error {
	box, app, end, err := startBoxed()
	if err != nil {
		return err
	}
	defer end()
	const places = 4
	var busy atomic.Int64
	app.work = func() { // as an application that has something to do
		began := time.Now()
		time.Sleep(time.Millisecond)
		busy.Add(int64(time.Since(began)))
	}
	app.set(down)
	g, err := startGateway(ctx, t, site{
		application: app.application, options: box.options(always(fmt.Sprintf("concurrency %d", places))...),
		proxy: namesProcess, env: []string{process(0)},
	})
	if err != nil {
		return err
	}
	defer g.Stop()
	g.End()
	if err := g.restart(ctx, process(1)); err != nil { // what it takes at rest, with an empty inbox
		return err
	}
	rest := g.Anonymous()
	const senders = 32
	kept, err := sendAll(ctx, g, app.application, h1, senders, t.extent.backlog, 2*kib)
	if err != nil {
		return err
	}
	g.End()
	began := time.Now()
	if err := g.restart(ctx, process(2)); err != nil {
		return err
	}
	started := time.Since(began)
	waiting, err := g.waiting(ctx)
	if err != nil {
		return err
	}
	if err := pause(ctx, t.extent.load); err != nil { // it attempts meanwhile, and the application is down
		return err
	}
	memory := (g.Anonymous() - rest) / kib
	began = time.Now()
	app.set(up)
	peak := memory
	left, err := g.drained(ctx, func() { peak = max(peak, (g.Anonymous()-rest)/kib) })
	if err != nil {
		return err
	}
	took := time.Since(began)
	late := app.latest()
	const most = 100               // MiB
	astray := t.extent.backlog / 2 // where a sender may be put off by a busy machine
	if t.extent.times {
		astray = 10 * (senders + places)
	}
	t.report(
		app.sound() && waiting == t.extent.backlog && left == 0 && late <= astray &&
			(!t.extent.times || started <= 5*time.Second && memory <= most && peak <= most),
		fmt.Sprintf("%d waiting, of 2 KiB, kept in %v; then a start, and an application with %d places", waiting, kept.elapsed.Round(time.Second/10), places),
		fmt.Sprintf("start %v; memory above an empty inbox, without pages of the file, %d MiB while they wait, %d MiB at most while they are delivered; %v; delivered in %v, %.0f a second, with the application busy %.0f %% of that; at most %d places out of order; %d left in the end",
			started.Round(time.Millisecond), memory, peak, app, took.Round(time.Second/10), float64(waiting)/took.Seconds(),
			100*float64(busy.Load())/places/float64(took), late, left),
		fmt.Sprintf("start within 5 s; at most %d MiB more; nothing lost, changed or repeated; in the order in which they are due, with at most %d places between", most, astray),
	)
	return nil
}

// latest is how far at most a delivery came after one that was sent after it, of
// those that had not been attempted before.
func (t *taker) latest() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	late, highest := 0, uint64(0)
	for _, each := range t.order {
		if each.attempt != "1" {
			continue
		}
		if each.n < highest {
			late = max(late, int(highest-each.n))
		}
		highest = max(highest, each.n)
	}
	return late
}

// inboxChurn fills the inbox up to max_size and empties it, again and again. It
// must take as little room and time in the last turn as in the first.
func inboxChurn(ctx context.Context, t *trial) error {
	box, app, end, err := startBoxed()
	if err != nil {
		return err
	}
	defer end()
	app.set(down)
	size := t.extent.churn
	g, err := startGateway(ctx, t, site{
		application: app.application, proxy: namesProcess,
		options: box.options(rescuing(fmt.Sprintf("max_size %dMiB", size), "concurrency 16")...),
	})
	if err != nil {
		return err
	}
	defer g.Stop()
	const turns = 3
	var medians [turns]time.Duration
	var largest int64
	for turn := range turns {
		var took []served
		for full := false; !full; {
			for _, bytes := range []int{2 * kib, 20 * kib, 200 * kib} {
				s, err := sendOnce(ctx, g, app.application, bytes, 20)
				if err != nil {
					return err
				}
				took, full = append(took, s), full || s.turnedAway() > 0
			}
		}
		medians[turn] = took[len(took)/2-1].median()
		taken, err := box.size()
		if err != nil {
			return err
		}
		largest = max(largest, taken)
		app.set(up)
		if left, err := g.drained(ctx); err != nil || left > 0 {
			return fmt.Errorf("%d are left, and %w", left, err)
		}
		app.set(down)
	}
	taken, err := box.size()
	if err != nil {
		return err
	}
	largest = max(largest, taken)
	t.report(
		app.sound() && largest <= int64(size)*mib*3/2,
		fmt.Sprintf("%d MiB in and out, %d times", size, turns),
		fmt.Sprintf("%v; at most %d MiB on the disk; the median delivery was kept in %v, %v, %v", app, largest/mib, round(medians[0]), round(medians[1]), round(medians[2])),
		"nothing lost, changed or repeated; at most 1.5 times max_size on the disk",
	)
	return nil
}

// sendOnce delivers so many, each once: an inbox that is full is to show.
func sendOnce(ctx context.Context, g *gateway, a *application, size, n int) (served, error) {
	s := served{refused: map[string]int{}}
	t := &traffic{served: s}
	c := g.client(h1)
	defer c.close()
	for range n {
		ans, err := c.deliver(ctx, a, a.next(size))
		if err != nil {
			return s, err
		}
		t.count(ans, nil)
	}
	return t.served, nil
}

// size is what the inbox takes on the disk.
func (b boxed) size() (total int64, err error) {
	err = filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == "history.db" {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}
