package main

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/hooklatch/hooklatch/e2e/measure"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// benchCase is a load, its baseline, and what their ratio may be at most.
type benchCase struct {
	name     string
	requests int
	status   int
	subject  request
	against  string // what the baseline is
	base     request
	baseWant int
	target   func(base measured) float64 // as a ratio of CPU
	inbox    bool                        // the gateway has an inbox, and the baseline is the one without
}

// gateways returns the one that is measured and the one that it is compared with.
func (c benchCase) gateways(g gateways) (subject, base *measure.Gateway) {
	if c.inbox {
		return g.inbox, g.verifying
	}
	return g.verifying, g.plain
}

func ratio(r float64) func(measured) float64 { return func(measured) float64 { return r } }

func cases() []benchCase {
	const accepted = 204
	flip := func(s []byte) []byte {
		if s[0]++; s[0] > '8' {
			s[0] = '0'
		}
		return s
	}
	short := func(s []byte) []byte { return s[:10] }
	proxied := func(name string, size, requests int, wanted place, target func(measured) float64) benchCase {
		return benchCase{
			name: fmt.Sprintf("%s, new, event %s", name, wanted), requests: requests, status: accepted, target: target,
			subject: deliveries("/hook", size, true, wanted, nil),
			against: "reverse_proxy", base: deliveries("/hook", size, true, wanted, nil), baseWant: accepted,
		}
	}
	refused := func(name string, target float64, forge func([]byte) []byte) benchCase {
		return benchCase{
			name: name, requests: 8000, status: 401, target: ratio(target),
			subject: deliveries("/hook", 2*kib, true, first, forge),
			against: "error 401", base: deliveries("/refuse", 2*kib, true, first, forge), baseWant: 401,
		}
	}
	var all []benchCase
	for _, wanted := range []place{first, last, absent} {
		all = append(all,
			proxied("2 KiB", 2*kib, 8000, wanted, ratio(1.10)),
			proxied("64 KiB", 64*kib, 2000, wanted, ratio(1.0)),
			proxied("1 MiB", mib, 300, wanted, func(base measured) float64 {
				return float64(base.cpu+time.Duration(2.15*float64(sha256Time(mib)))) / float64(base.cpu)
			}))
	}
	withInbox := proxied("2 KiB, inbox, application up", 2*kib, 8000, first, ratio(1.10))
	withInbox.against, withInbox.inbox = "without inbox", true
	return append(all,
		withInbox,
		refused("forged, refused from the headers", 1.05, short),
		refused("forged, well-formed", 1.2, flip),
		benchCase{
			name: "duplicate, 2 KiB", requests: 8000, status: 200, target: ratio(0.6),
			subject: deliveries("/hook", 2*kib, false, first, nil),
			against: "reverse_proxy", base: deliveries("/hook", 2*kib, false, first, nil), baseWant: accepted,
		})
}

// sha256Time is how long SHA-256 takes for so many bytes here and now.
func sha256Time(size int) time.Duration {
	body := make([]byte, size)
	var took []time.Duration
	for range 9 {
		began := time.Now()
		sha256.Sum256(body)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// pair is a load and its baseline, measured one after the other.
type pair struct {
	subject, base measured
	target        float64
}

// measurePair measures both, the one or the other first by turns.
func measurePair(g gateways, c benchCase, round int) (p pair, err error) {
	gateway, baseline := c.gateways(g)
	subject := func() error {
		if c.status == 200 { // a duplicate needs a first delivery, which is accepted
			if _, err := load(gateway, 1, 204, c.subject); err != nil && round == 0 {
				return fmt.Errorf("the first delivery: %w", err)
			}
		}
		p.subject, err = load(gateway, c.requests, c.status, c.subject)
		return err
	}
	base := func() error {
		p.base, err = load(baseline, c.requests, c.baseWant, c.base)
		return err
	}
	order := []func() error{base, subject}
	if round%2 == 1 {
		slices.Reverse(order)
	}
	for _, measure := range order {
		if err := measure(); err != nil {
			return pair{}, err
		}
	}
	p.target = c.target(p.base)
	return p, nil
}
