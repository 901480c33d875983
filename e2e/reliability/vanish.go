package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/quic-go/quic-go"
)

// vanish lets senders go away at every stage. What had arrived whole is
// delivered, and its retry a duplicate; anything less never was.
func vanish(ctx context.Context, t *trial) error {
	app, err := startApplication("/hook")
	if err != nil {
		return err
	}
	defer app.stop()
	// Or the gateway would keep connections to it.
	app.server.SetKeepAlivesEnabled(false)
	g, err := startGateway(ctx, t, site{application: app})
	if err != nil {
		return err
	}
	defer g.Stop()
	for _, s := range stages {
		if err := vanishAt(ctx, t, g, s); err != nil {
			return err
		}
	}
	return nil
}

// stage is where senders go away.
type stage struct {
	name      string
	leave     func(context.Context, *gateway, protocol, delivery) error
	delivered bool // the application has it all the same
}

var stages = []stage{
	{"when they have connected", leaveConnected, false},
	{"after the handshake", leaveShaken, false},
	{"in the middle of the headers", leaveInHeaders, false},
	{"after the headers", leaveInBody(0), false},
	{"in the middle of the body", leaveInBody(0.5), false},
	{"before the last byte", leaveInBody(0.99999), false},
	{"while the application works", leaveWaiting, true},
	{"while the answer comes", leaveAnswered, true},
}

func vanishAt(ctx context.Context, t *trial, g *gateway, s stage) error {
	app, from := g.site.application, g.site.application.numbered()
	before, err := takeInventory(ctx, g)
	if err != nil {
		return err
	}
	sent := make([]delivery, t.extent.faults)
	var group sync.WaitGroup
	failed := make([]error, len(sent))
	for i := range sent {
		sent[i] = app.next(64 * kib)
		group.Go(func() { failed[i] = s.leave(ctx, g, t.protocol, sent[i]) })
	}
	group.Wait()
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("going away %s: %w", s.name, err)
	}
	after, settled, err := before.awaitReturn(ctx, g)
	if err != nil {
		return err
	}
	came := 0
	for _, d := range sent {
		came += app.arrived(d)
	}
	again := attemptAll(ctx, g, app, t.protocol, sent)
	fates := app.tallyFrom(from)
	want := 0
	if s.delivered {
		want = len(sent)
	}
	t.report(
		came == want && again[accepted] == len(sent) && fates.whole() && settled,
		fmt.Sprintf("%d senders of 64 KiB go away %s", len(sent), s.name),
		fmt.Sprintf("%d reached the application; retried: %v; in all %v; before: %v; after: %v", came, again, fates, before, after),
		fmt.Sprintf("%d reach the application; retried, each is accepted and has come once; the gateway keeps nothing", want),
	)
	return nil
}

// leaveConnected goes when nothing has been said; without connections, when one
// meaningless packet has.
func leaveConnected(ctx context.Context, g *gateway, p protocol, _ delivery) error {
	network := "tcp"
	if p == h3 {
		network = "udp"
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, g.Addr)
	if err != nil {
		return err
	}
	if p == h3 {
		_, _ = conn.Write(make([]byte, 1200))
	}
	return conn.Close()
}

func leaveShaken(ctx context.Context, g *gateway, p protocol, _ delivery) error {
	return shake(ctx, g, p, func(io.Writer) error { return nil })
}

func leaveInHeaders(ctx context.Context, g *gateway, p protocol, _ delivery) error {
	begun := map[protocol]string{
		h1: "POST /hook HTTP/1.1\r\nHost: " + g.Addr + "\r\nX-Craneops-Sig",
		// A HEADERS frame of 100 bytes, of which a few come.
		h2: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x64\x01\x04\x00\x00\x00\x01\x82\x84",
		h3: "\x01\x40\x64\x00\x00\xd1",
	}
	return shake(ctx, g, p, func(w io.Writer) error {
		_, err := io.WriteString(w, begun[p])
		return err
	})
}

// shake opens a connection and says something before it goes.
func shake(ctx context.Context, g *gateway, p protocol, say func(io.Writer) error) error {
	config := g.tls()
	config.NextProtos = []string{map[protocol]string{h1: "http/1.1", h2: "h2", h3: "h3"}[p]}
	if p != h3 {
		conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", g.Addr)
		if err != nil {
			return err
		}
		return errors.Join(say(conn), conn.Close())
	}
	conn, err := quic.DialAddr(ctx, g.Addr, config, nil)
	if err != nil {
		return err
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return err
	}
	return errors.Join(say(stream), conn.CloseWithError(0, ""))
}

// leaveInBody goes when a part of the body has been sent.
func leaveInBody(part float64) func(context.Context, *gateway, protocol, delivery) error {
	return func(ctx context.Context, g *gateway, p protocol, d delivery) error {
		ctx, leave := context.WithCancel(ctx)
		defer leave()
		body := newBody(d.n, d.size)
		status, _, err := begin(ctx, g, p, unfinished{
			io.MultiReader(io.LimitReader(body, int64(part*float64(d.size))), &ending{leave}),
			d.size, d.signature,
		})
		if err == nil && status < 300 {
			return fmt.Errorf("%d to what was never sent", status)
		}
		return nil // a refusal may still reach who goes
	}
}

// ending is what comes of a body when its sender goes: nothing.
type ending struct{ leave func() }

func (e *ending) Read([]byte) (int, error) {
	e.leave()
	return 0, io.ErrUnexpectedEOF
}

// leaveWaiting goes when the application has the delivery and has not answered.
func leaveWaiting(ctx context.Context, g *gateway, p protocol, d delivery) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	m := g.site.application.meet(d, false)
	go func() {
		<-m.arrived
		leave()
	}()
	_, _, err := begin(ctx, g, p, unfinished{newBody(d.n, d.size), d.size, d.signature})
	close(m.left)
	if err == nil {
		return errors.New("an answer before there was one")
	}
	return nil
}

// leaveAnswered goes when it has the status and a part of the answer is still
// to come.
func leaveAnswered(ctx context.Context, g *gateway, p protocol, d delivery) error {
	m := g.site.application.meet(d, true)
	defer close(m.left)
	status, reason, err := begin(ctx, g, p, unfinished{newBody(d.n, d.size), d.size, d.signature})
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d %s", status, reason)
	}
	return err
}
