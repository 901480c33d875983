package main

import (
	"context"
	"slices"
)

// pair is a gateway with two labels, each before an application of its own. One
// rescues and the other keeps all; they share a file.
type pair struct {
	box           boxed
	rescued, kept *taker
	gateway       *gateway
	streams       []*traffic
}

// startPair starts both, with these options of the inbox besides.
func startPair(ctx context.Context, t *trial, more ...string) (p *pair, err error) {
	p = new(pair)
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	if p.box, err = newBoxed(); err != nil {
		return p, err
	}
	if p.rescued, p.kept, err = twoTakers(); err != nil {
		return p, err
	}
	p.gateway, err = startGateway(ctx, t, site{
		application: p.rescued.application, options: p.box.options(rescuing(slices.Clone(more)...)...),
		beside: []hook{{p.kept.application, p.box.options(always(slices.Clone(more)...)...)}},
		proxy:  namesProcess, env: []string{process(0)},
	})
	return p, err
}

// twoTakers are two applications.
func twoTakers() (one, other *taker, err error) {
	if one, err = startTaker("/rescue"); err != nil {
		return nil, nil, err
	}
	if other, err = startTaker("/always"); err != nil {
		one.stop()
		return nil, nil, err
	}
	return one, other, nil
}

// send starts streams of deliveries.
func (p *pair) send(ctx context.Context, streams ...*traffic) {
	p.streams = streams
	for _, s := range streams {
		s.start(ctx)
	}
}

// end ends the streams, with both applications up, and counts the attempts that were
// cut off and the deliveries that their senders gave up.
func (p *pair) end() (cut, gaveUp int) {
	p.rescued.set(up)
	p.kept.set(up)
	for _, s := range p.streams {
		served := s.end()
		cut, gaveUp = cut+served.cut, gaveUp+served.gaveUp
	}
	return cut, gaveUp
}

// stop stops what has been started.
func (p *pair) stop() {
	if p.gateway != nil {
		p.gateway.Stop()
	}
	for _, t := range []*taker{p.kept, p.rescued} {
		if t != nil {
			t.stop()
		}
	}
	if p.box.dir != "" {
		p.box.remove()
	}
}
