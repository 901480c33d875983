package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// flood sends well-formed forgeries as fast as it can. The same flood against a
// plain `error 401` shows what is the flood's own doing.
func flood(ctx context.Context, t *trial) error {
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
	idle, err := honest.lasting(ctx, t.extent.load)
	if err != nil {
		return err
	}
	var forged, plain *forgeries
	besidePlain, err := honest.during(ctx, func() (err error) {
		plain, err = forge(ctx, g, t.protocol, "/refuse", t.extent.load)
		return err
	})
	if err != nil {
		return err
	}
	beside, err := honest.during(ctx, func() (err error) {
		forged, err = forge(ctx, g, t.protocol, "/hook", t.extent.load)
		return err
	})
	if err != nil {
		return err
	}
	fates := app.tally()
	t.report(
		beside.clean() && besidePlain.clean() && fates.whole() && forged.other == 0 &&
			(beside.p99() <= 3*besidePlain.p99()+50*time.Millisecond || !t.extent.times),
		fmt.Sprintf("%.0f forgeries of 2 KiB a second, for %v", forged.rate, t.extent.load),
		fmt.Sprintf("%d forgeries answered 401, %d otherwise; honest senders: %v; idle: p99 %v; beside %.0f a second at `error 401`: p99 %v",
			forged.refused, forged.other, beside, round(idle.p99()), plain.rate, round(besidePlain.p99())),
		"every forgery answered 401; each honest delivery accepted once and at once; p99 at most 3 times that beside `error 401`, and 50ms",
	)
	return nil
}

// forgeries is how a flood fared.
type forgeries struct {
	refused int
	other   int
	rate    float64 // a second
}

// forge sends forgeries for a time, over eight connections.
func forge(ctx context.Context, g *gateway, p protocol, path string, lasting time.Duration) (*forgeries, error) {
	const size = 2 * kib
	header := http.Header{"X-Craneops-Signature": {signature(1, size)}}
	running, stop := context.WithTimeout(ctx, lasting)
	defer stop()
	var refused, other atomic.Int64
	var group sync.WaitGroup
	began := time.Now()
	for range 8 {
		group.Go(func() {
			c := g.client(p)
			defer c.close()
			for running.Err() == nil {
				// Another body than the signed one.
				ans, err := c.post(ctx, path, newBody(0, size), size, header.Clone())
				if err == nil && ans.status == http.StatusUnauthorized {
					refused.Add(1)
				} else {
					other.Add(1)
				}
			}
		})
	}
	group.Wait()
	return &forgeries{
		int(refused.Load()), int(other.Load()),
		float64(refused.Load()) / time.Since(began).Seconds(),
	}, ctx.Err()
}
