package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// sample is what the gateway had at one time.
type sample struct {
	resident   int64 // KiB
	goroutines int
}

// steady delivers as fast as it can over all protocols together and watches
// memory and goroutines.
func steady(ctx context.Context, t *trial) error {
	app, err := startApplication("/hook")
	if err != nil {
		return err
	}
	defer app.stop()
	g, err := startGateway(ctx, t, site{
		application: app, options: []string{fmt.Sprintf("replay memory {\n\t\t\t\tsize %d\n\t\t\t}", t.extent.history)},
	})
	if err != nil {
		return err
	}
	defer g.Stop()
	streams := map[protocol]*traffic{}
	for _, p := range all {
		streams[p] = &traffic{gateway: g, application: app, protocol: p, senders: 8, size: 2 * kib, retry: 5 * time.Millisecond}
		streams[p].start(ctx)
	}
	began := time.Now()
	samples, err := watch(ctx, g, t.extent.steady, t.extent.sampled)
	elapsed := time.Since(began)
	text, clean := "", true
	for _, p := range all {
		s := streams[p].end()
		clean = clean && s.clean()
		text += fmt.Sprintf("%s: %v; ", p, s)
	}
	if err != nil {
		return err
	}
	fates := app.tally()
	memory := thirds(samples, func(s sample) float64 { return float64(s.resident) / kib })
	goroutines := thirds(samples, func(s sample) float64 { return float64(s.goroutines) })
	t.report(
		clean && fates.whole() && memory.growth() <= t.extent.growth && goroutines.growth() <= t.extent.growth,
		fmt.Sprintf("full rate for %v: %.0f deliveries of 2 KiB a second", elapsed.Round(time.Second), float64(fates.accepted)/elapsed.Seconds()),
		fmt.Sprintf("%sin all %v; memory %v MiB; goroutines %v", text, fates, memory, goroutines),
		fmt.Sprintf("each accepted once and at once; memory and goroutines flat: the median of the last third at most %.1f times that of the second", t.extent.growth),
	)
	return nil
}

// watch looks at the gateway at intervals.
func watch(ctx context.Context, g *gateway, lasting, interval time.Duration) ([]sample, error) {
	var samples []sample
	for end := time.Now().Add(lasting); time.Now().Before(end); {
		if err := pause(ctx, interval); err != nil {
			return nil, err
		}
		goroutines, err := g.goroutines(ctx)
		if err != nil {
			return nil, err
		}
		samples = append(samples, sample{g.Resident(), goroutines})
	}
	return samples, nil
}

// course is the medians of a value over the three thirds of a time.
type course [3]float64

func thirds(samples []sample, of func(sample) float64) course {
	var c course
	for i := range c {
		var values []float64
		for _, s := range samples[len(samples)*i/3 : len(samples)*(i+1)/3] {
			values = append(values, of(s))
		}
		slices.Sort(values)
		if len(values) > 0 {
			c[i] = values[len(values)/2]
		}
	}
	return c
}

// growth is that of the last third over the second. The first one is for
// buffers, history and connections to fill.
func (c course) growth() float64 { return c[2] / c[1] }

func (c course) String() string { return fmt.Sprintf("%.0f, %.0f, %.0f", c[0], c[1], c[2]) }
