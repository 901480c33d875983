package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// drips are deliveries that come a byte at a time.
type drips struct {
	total      int
	group      sync.WaitGroup
	stop       func() // hangs up
	begun      atomic.Int64
	ended      atomic.Int64
	timedOut   atomic.Int64
	unanswered atomic.Int64
	err        atomic.Pointer[error] // the last one without an answer
}

// claimed is the length that drips claim to have.
const claimed = 5 * mib

// drip opens connections and sends a byte of body on each, time after time. An
// interval of zero sends nothing but the headers.
func drip(ctx context.Context, g *gateway, p protocol, connections int, interval time.Duration) *drips {
	ctx, cancel := context.WithCancel(ctx)
	d := &drips{total: connections}
	d.stop = func() { cancel(); d.group.Wait() }
	opening := make(chan struct{}, 64) // as many handshakes at a time
	for range connections {
		d.group.Go(func() {
			select {
			case opening <- struct{}{}:
			case <-ctx.Done():
				return
			}
			begun := sync.OnceFunc(func() { d.begun.Add(1); <-opening })
			defer begun()
			body := &drippingBody{ctx: ctx, interval: interval, begun: begun}
			status, reason, err := begin(ctx, g, p, unfinished{body, claimed, strings.Repeat("0", 64)})
			d.ended.Add(1)
			switch {
			case ctx.Err() != nil:
			case err != nil:
				d.unanswered.Add(1)
				d.err.Store(&err)
			case status == http.StatusRequestTimeout && reason == "body_timeout":
				d.timedOut.Add(1)
			}
		})
	}
	return d
}

// awaitBegun returns when every connection has sent its headers.
func (d *drips) awaitBegun(ctx context.Context) error {
	for d.begun.Load() < int64(d.total) {
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// failure says what became of those without an answer.
func (d *drips) failure() string {
	if err := d.err.Load(); err != nil {
		return fmt.Sprintf("; %d without an answer (%v)", d.unanswered.Load(), *err)
	}
	return ""
}

func (d *drips) open() int { return int(d.begun.Load() - d.ended.Load()) }

// drippingBody gives one byte at a time.
type drippingBody struct {
	ctx      context.Context
	interval time.Duration
	begun    func() // called when the headers have been sent
}

func (b *drippingBody) Read(p []byte) (int, error) {
	b.begun()
	if b.interval == 0 {
		<-b.ctx.Done()
		return 0, io.ErrUnexpectedEOF
	}
	if err := pause(b.ctx, b.interval); err != nil {
		return 0, io.ErrUnexpectedEOF
	}
	p[0] = '0'
	return 1, nil
}
