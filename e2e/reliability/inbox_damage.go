package main

import (
	"context"
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// damage is a way in which an inbox is spoiled while no gateway has it open.
type damage struct {
	name  string
	spoil func(b boxed) error
}

var damages = []damage{
	{"the file cut off", func(b boxed) error { return changeFile(b.file(), cutOff) }},
	{"a page of zeros", func(b boxed) error { return changeFile(b.file(), page(func(p []byte) { clear(p) })) }},
	{"a page of random bytes", func(b boxed) error { return changeFile(b.file(), page(func(p []byte) { _, _ = crand.Read(p) })) }},
	{"a bit", func(b boxed) error { return changeFile(b.file(), bit) }},
	{"a bit of a body", func(b boxed) error { return changeBody(b, bit) }},
	{"a body cut off", func(b boxed) error { return changeBody(b, cutOff) }},
	{"no bodies", func(b boxed) error { return os.RemoveAll(b.file() + ".bodies") }},
}

func cutOff(text []byte) []byte { return text[:rand.IntN(len(text))] }

func bit(text []byte) []byte {
	text[rand.IntN(len(text))] ^= 1 << rand.IntN(8)
	return text
}

func page(spoil func([]byte)) func([]byte) []byte {
	return func(text []byte) []byte {
		const size = 4096
		at := rand.IntN(len(text)/size) * size
		spoil(text[at : at+size])
		return text
	}
}

func changeFile(path string, change func([]byte) []byte) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, change(text), 0o600)
}

func changeBody(b boxed, change func([]byte) []byte) error {
	bodies, err := filepath.Glob(filepath.Join(b.file()+".bodies", "*-*"))
	if err != nil || len(bodies) == 0 {
		return fmt.Errorf("no body to damage: %w", err)
	}
	return changeFile(bodies[rand.IntN(len(bodies))], change)
}

// inboxDamage spoils a copy of an inbox in one way after the other and starts a
// gateway with it, each time with an application that is up.
func inboxDamage(ctx context.Context, t *trial) error {
	box, app, end, err := startBoxed()
	if err != nil {
		return err
	}
	defer end()
	app.set(down)
	g, err := startGateway(ctx, t, site{application: app.application, options: box.options(rescuing("concurrency 16")...), proxy: namesProcess})
	if err != nil {
		return err
	}
	defer g.Stop()
	const small, large = 60, 20
	for size, n := range map[int]int{2 * kib: small, 96 * kib: large} {
		if _, err := sendAll(ctx, g, app.application, h1, 4, n, size); err != nil {
			return err
		}
	}
	g.End()
	if err := os.CopyFS(box.dir+".whole", os.DirFS(box.dir)); err != nil {
		return err
	}
	defer os.RemoveAll(box.dir + ".whole")
	app.set(up)
	for _, d := range damages {
		if err := damageRounds(ctx, t, g, damaged{box, app, d, small + large}); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return g.restartWhole(ctx, box)
}

// damaged is an inbox with so many deliveries that is spoiled in one way.
type damaged struct {
	boxed
	app *taker
	damage
	kept int
}

// damageRounds spoils the inbox several times in one way.
func damageRounds(ctx context.Context, t *trial, g *gateway, d damaged) error {
	refused, started, whole, silent := 0, 0, 0, 0
	for range t.extent.damages {
		if err := d.renew(); err != nil {
			return err
		}
		if err := d.spoil(d.boxed); err != nil {
			return err
		}
		d.app.forget()
		if err := g.Restart(); err != nil {
			if !strings.Contains(err.Error(), d.file()) || strings.Contains(err.Error(), "goroutine ") {
				return fmt.Errorf("it does not start, and not because of its inbox: %w", err)
			}
			refused++
			continue
		}
		started++
		left, err := d.settle(ctx, g)
		if err != nil {
			return fmt.Errorf("the gateway ends: %w; its log: %s", err, g.Log())
		}
		switch taken := d.app.taken(); {
		case taken == d.kept:
			whole++
		case !strings.Contains(g.Log(), "damaged") && taken+left < d.kept:
			silent++
		}
		g.End()
	}
	d.app.mu.Lock()
	wrong := d.app.wrong + d.app.tally().foreign
	d.app.mu.Unlock()
	t.report(
		silent == 0 && wrong == 0,
		fmt.Sprintf("%s, %d times, of an inbox with %d deliveries", d.name, t.extent.damages, d.kept),
		fmt.Sprintf("%d starts refused with the file's name; %d starts, of which %d delivered all; %d changed; %d lost without a word",
			refused, started, whole, wrong, silent),
		"an error at the start that names the file, or all that can be read is delivered and the log names the rest; nothing changed",
	)
	return nil
}

// renew puts the whole inbox back.
func (b boxed) renew() error {
	if err := os.RemoveAll(b.dir); err != nil {
		return err
	}
	return os.CopyFS(b.dir, os.DirFS(b.dir+".whole"))
}

// restartWhole starts the gateway with the whole inbox again, so that it can be
// stopped.
func (g *gateway) restartWhole(ctx context.Context, b boxed) error {
	if err := b.renew(); err != nil {
		return err
	}
	return g.restart(ctx)
}

// settle waits until the gateway attempts nothing more, and returns how many
// deliveries it still has. It may have some that it cannot read.
func (d damaged) settle(ctx context.Context, g *gateway) (left int, err error) {
	quiet := 0
	for before := -1; quiet < 5; {
		n, err := g.metric(ctx, "inbox_entries")
		if err != nil {
			return 0, err
		}
		left = int(n)
		if left == 0 {
			return 0, nil
		}
		if now := d.app.taken(); now == before {
			quiet++
		} else {
			before, quiet = now, 0
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
	}
	return left, nil
}

// forget has the application know of nothing that it took.
func (t *taker) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.takes)
	t.order = nil
}
