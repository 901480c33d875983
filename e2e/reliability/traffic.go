package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// traffic is what honest senders do: they deliver, and try again until they are
// told that it was accepted.
type traffic struct {
	gateway     *gateway
	application *application
	protocol    protocol
	senders     int
	size        int           // of a body, in bytes
	pause       time.Duration // of a sender between two deliveries
	fresh       bool          // a new connection for each attempt
	retry       time.Duration // pause of a sender before it tries again
	other       *gateway      // which gets every second attempt, if set

	stop   context.CancelFunc
	began  time.Time
	group  sync.WaitGroup
	mu     sync.Mutex
	served served
}

// served is how honest senders fared.
type served struct {
	took       []time.Duration // of the attempts that were accepted, sorted
	refused    map[string]int  // attempts, by status and reason
	unanswered int             // attempts
	cut        int             // those of them that had a connection
	gaveUp     int             // deliveries
	err        error           // of the first attempt without an answer
	elapsed    time.Duration
}

// paced is the traffic that others are measured by: few senders, small bodies.
func paced(g *gateway, a *application, p protocol) *traffic {
	return &traffic{gateway: g, application: a, protocol: p, senders: 4, size: 2 * kib, pause: 5 * time.Millisecond, retry: 5 * time.Millisecond}
}

// during sends until f has returned.
func (t *traffic) during(ctx context.Context, f func() error) (served, error) {
	t.start(ctx)
	err := f()
	return t.end(), err
}

// lasting sends for a time.
func (t *traffic) lasting(ctx context.Context, d time.Duration) (served, error) {
	return t.during(ctx, func() error { return pause(ctx, d) })
}

func (t *traffic) start(ctx context.Context) {
	t.served = served{refused: map[string]int{}}
	running, stop := context.WithCancel(ctx)
	t.stop, t.began = stop, time.Now()
	for range t.senders {
		t.group.Go(func() { t.send(ctx, running) })
	}
}

func (t *traffic) end() served {
	t.stop()
	t.group.Wait()
	t.served.elapsed = time.Since(t.began)
	slices.Sort(t.served.took)
	return t.served
}

// send goes on until running ends, and finishes what it has begun.
func (t *traffic) send(ctx, running context.Context) {
	c := t.gateway.client(t.protocol)
	defer c.close()
	for running.Err() == nil {
		t.deliver(ctx, c, t.application.next(t.size))
		if t.pause > 0 {
			_ = pause(running, t.pause)
		}
	}
}

// deliver tries until a delivery is accepted.
func (t *traffic) deliver(ctx context.Context, c *client, d delivery) {
	var other *client
	if t.other != nil {
		other = t.other.client(t.protocol)
		defer other.close()
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && ctx.Err() == nil; {
		if t.fresh {
			c = t.gateway.client(t.protocol)
			defer c.close()
		}
		ans, err := c.deliver(ctx, t.application, d)
		if t.count(ans, err) {
			return
		}
		if other != nil {
			c, other = other, c
		}
		_ = pause(ctx, t.retry)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.served.gaveUp++
}

// count notes how an attempt ended, and reports whether it was the last one.
func (t *traffic) count(ans answer, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.served
	switch {
	case err != nil:
		s.unanswered++
		if !errors.Is(err, syscall.ECONNREFUSED) {
			s.cut++
		}
		if s.err == nil {
			s.err = err
		}
		return false
	case ans.accepted():
		s.took = append(s.took, ans.took)
		return true
	default:
		s.refused[fmt.Sprintf("%d %s", ans.status, ans.reason)]++
		return false
	}
}

// p99 is how long the slowest hundredth of the accepted ones took at least.
func (s served) p99() time.Duration {
	if len(s.took) == 0 {
		return 0
	}
	return s.took[len(s.took)*99/100]
}

// clean says that each delivery was accepted at the first attempt.
func (s served) clean() bool {
	return len(s.took) > 0 && len(s.refused) == 0 && s.unanswered == 0 && s.gaveUp == 0
}

// turnedAway counts the attempts that were answered and not accepted.
func (s served) turnedAway() int {
	total := 0
	for _, n := range s.refused {
		total += n
	}
	return total
}

func (s served) String() string {
	text := []string{fmt.Sprintf("%d accepted, p99 %v", len(s.took), round(s.p99()))}
	for _, reason := range slices.Sorted(maps.Keys(s.refused)) {
		text = append(text, fmt.Sprintf("%d times %s", s.refused[reason], reason))
	}
	if s.unanswered > 0 {
		text = append(text, fmt.Sprintf("%d without an answer (%v)", s.unanswered, s.err))
	}
	if s.gaveUp > 0 {
		text = append(text, fmt.Sprintf("%d given up", s.gaveUp))
	}
	return strings.Join(text, ", ")
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }
