package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// fault is a way in which an application misbehaves.
type fault struct {
	name   string
	behave func(w http.ResponseWriter, r *http.Request, f *faultyApplication)
	first  []string // what the sender may be told at first: status and reason, or noAnswer
	taken  bool     // the application has answered 2xx, so that retries are duplicates
	cut    bool     // the gateway need not send the rest of a body that is answered already
}

// faultyApplication is an application while it misbehaves.
type faultyApplication struct {
	*application
	over <-chan struct{} // closed when it behaves again
}

var faults = []fault{
	{
		name: "stalls with its answer",
		behave: func(_ http.ResponseWriter, r *http.Request, f *faultyApplication) {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-f.over:
			case <-r.Context().Done():
			}
		},
		first: []string{"503 no_answer"},
	},
	{
		name: "stalls and does not read the body",
		behave: func(w http.ResponseWriter, _ *http.Request, f *faultyApplication) {
			hijack(w, func(net.Conn) { <-f.over })
		},
		first: []string{"503 no_answer"},
	},
	{
		name: "resets the connection",
		behave: func(w http.ResponseWriter, _ *http.Request, _ *faultyApplication) {
			hijack(w, reset)
		},
		first: []string{"502 no_answer"},
	},
	{
		name: "resets in the middle of the body",
		behave: func(w http.ResponseWriter, r *http.Request, _ *faultyApplication) {
			_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
			hijack(w, reset)
		},
		first: []string{"502 no_answer"},
	},
	{
		name: "answers 200 and resets in the middle of it",
		behave: func(w http.ResponseWriter, r *http.Request, f *faultyApplication) {
			f.receive(r.Body)
			hijack(w, func(conn net.Conn) {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf an answer")
				_ = conn.Close()
			})
		},
		first: []string{noAnswer},
		taken: true,
	},
	{
		name: "answers garbage",
		behave: func(w http.ResponseWriter, _ *http.Request, _ *faultyApplication) {
			hijack(w, func(conn net.Conn) { _, _ = io.WriteString(conn, "\x00\x01 is no answer\r\n\r\n") })
		},
		first: []string{"502 no_answer"},
	},
	{
		name: "answers 503 before it reads the body, and closes",
		behave: func(w http.ResponseWriter, _ *http.Request, _ *faultyApplication) {
			hijack(w, func(conn net.Conn) {
				_, _ = io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
			})
		},
		// The reset that follows may overtake the answer.
		first: []string{"503 ", "502 no_answer"},
	},
	{
		name: "answers 200 before it reads the body, and reads on",
		behave: func(w http.ResponseWriter, r *http.Request, f *faultyApplication) {
			rc := http.NewResponseController(w)
			_ = rc.EnableFullDuplex()
			w.WriteHeader(http.StatusOK)
			_ = rc.Flush()
			f.receive(r.Body)
		},
		first: []string{accepted},
		taken: true, cut: true,
	},
}

// upstreamFaults lets one application misbehave in each way, and then behave
// again, while another one behind the same gateway is served.
func upstreamFaults(ctx context.Context, t *trial) error {
	app, err := startApplication("/hook")
	if err != nil {
		return err
	}
	defer app.stop()
	faulty, err := startApplication("/faulty")
	if err != nil {
		return err
	}
	defer faulty.stop()
	g, err := startGateway(ctx, t, site{
		application: app, faulty: faulty, within: answerWithin.String(),
	})
	if err != nil {
		return err
	}
	defer g.Stop()
	for _, f := range faults {
		if err := upstreamFault(ctx, t, g, f); err != nil {
			return err
		}
	}
	return nil
}

// answerWithin is how long an attempt at an application that stalls takes. On a
// busy machine, one at an application that behaves again takes a second or two.
const answerWithin = 4 * time.Second

func upstreamFault(ctx context.Context, t *trial, g *gateway, f fault) error {
	faulty, from := g.site.faulty, g.site.faulty.numbered()
	over := make(chan struct{})
	behave := func(w http.ResponseWriter, r *http.Request) { f.behave(w, r, &faultyApplication{faulty, over}) }
	faulty.behave.Store(&behave)
	honest := paced(g, g.site.application, t.protocol)
	var first, again map[string]int
	beside, err := honest.during(ctx, func() error {
		sent := make([]delivery, t.extent.faults)
		for i := range sent {
			sent[i] = faulty.next(256 * kib)
		}
		first = attemptAll(ctx, g, faulty, t.protocol, sent)
		faulty.behave.Store(nil)
		close(over)
		again = attemptAll(ctx, g, faulty, t.protocol, sent)
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	fates := faulty.tallyFrom(from)
	foreseen := again[accepted] == t.extent.faults && fates.doubled == 0 && fates.foreign == 0 && (f.cut || fates.lost == 0)
	for outcome := range first {
		foreseen = foreseen && slices.Contains(f.first, outcome)
	}
	finally := "retried, each reaches the application once"
	if f.taken {
		finally = "the application said 2xx, so retries are acknowledged and it does not see them"
	}
	if f.cut {
		fates.lost = 0 // the rest of what it has answered is its own affair
	}
	t.report(
		foreseen && beside.clean(),
		fmt.Sprintf("an application that %s, %d deliveries of 256 KiB", f.name, t.extent.faults),
		fmt.Sprintf("at first %v; when it behaves again %v; in all %v; another application meanwhile: %v", first, again, fates, beside),
		fmt.Sprintf("at first %s; %s; the other one as if nothing were", strings.Join(f.first, " or "), finally),
	)
	return nil
}

// The ends of an attempt, beside status and reason of a refusal.
const (
	accepted = "accepted"
	noAnswer = "no answer"
)

// attemptAll sends each delivery once and counts how the attempts ended.
func attemptAll(ctx context.Context, g *gateway, a *application, p protocol, deliveries []delivery) map[string]int {
	const atOnce = 16
	var mu sync.Mutex
	var group sync.WaitGroup
	ends := map[string]int{}
	for part := range slices.Chunk(deliveries, (len(deliveries)+atOnce-1)/atOnce) {
		group.Go(func() {
			c := g.client(p)
			defer c.close()
			for _, d := range part {
				ans, err := c.deliver(ctx, a, d)
				end := fmt.Sprintf("%d %s", ans.status, ans.reason)
				switch {
				case err != nil:
					end = noAnswer
				case ans.accepted():
					end = accepted
				}
				mu.Lock()
				ends[end]++
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return ends
}

// hijack takes the connection of a request, and closes it afterwards.
func hijack(w http.ResponseWriter, f func(net.Conn)) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // the connection has gone
	}
	defer conn.Close()
	f(conn)
}

// reset closes a connection so that the other side gets an error.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}
