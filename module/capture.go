package module

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/deliveries"
	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/bodies"
	"github.com/hooklatch/hooklatch/schemes"
	"github.com/hooklatch/hooklatch/schemes/explain"
)

// Capture sets which deliveries are kept whole, in memory. Only deliveries with
// a well-formed signature whose body has arrived are kept. Together they take
// at most an eighth of max_buffered, and they give way to bodies that arrive.
type Capture struct {
	// Which deliveries: `rejected` or `all`. Default: rejected.
	Of string `json:"of,omitempty"`

	// How many rejected deliveries of the label to keep, and how many others. When
	// either is full, the oldest delivery of the client address with the most is
	// dropped. Default: 100.
	Keep int `json:"keep,omitempty"`

	// The largest body, in bytes. A delivery with a larger one is not kept at all.
	// Default: 64 KiB.
	Body int64 `json:"body,omitempty"`

	// How long to keep a delivery. Default: 24h.
	For caddy.Duration `json:"for,omitempty"`
}

// The values of Capture.Of.
const (
	CaptureRejected = "rejected"
	CaptureAll      = "all"
)

const (
	defaultCaptureKeep = 100
	maxCaptureKeep     = 1000
	defaultCaptureBody = 64 << 10
	defaultCaptureFor  = 24 * time.Hour
)

func (c *Capture) check() error {
	switch {
	case c == nil:
		return nil
	case !slices.Contains([]string{"", CaptureRejected, CaptureAll}, c.Of):
		return errors.New("capture: this is not known; write of rejected, or of all")
	case c.Keep < 0 || c.Keep > maxCaptureKeep:
		return fmt.Errorf("capture: keep must be above zero and at most %d; leave it out for the default", maxCaptureKeep)
	case c.Body < 0 || c.For < 0:
		return errors.New("capture: body and for must be above zero; leave them out for the default")
	}
	return nil
}

func (c *Capture) setDefaults() {
	if c == nil {
		return
	}
	if c.Of == "" {
		c.Of = CaptureRejected
	}
	if c.Keep == 0 {
		c.Keep = defaultCaptureKeep
	}
	if c.Body == 0 {
		c.Body = defaultCaptureBody
	}
	if c.For == 0 {
		c.For = caddy.Duration(defaultCaptureFor)
	}
}

// settings returns the settings by which captures survive a reload.
func (c *Capture) settings(label string) deliveries.Capturing {
	return deliveries.Capturing{Provider: label, Keep: c.Keep, For: time.Duration(c.For)}
}

// takes reports whether to capture a delivery. The body of a delivery is read
// only if its signature is well-formed.
func (c *Capture) takes(d *delivery) bool {
	return c != nil && (c.Of == CaptureAll || d.verdict == rejected) && !d.arrived.IsZero() && d.size <= c.Body
}

// add captures a delivery.
func (c *Capture) add(d *delivery, shown deliveries.Delivery) {
	body := d.copied
	if body == nil {
		body = d.body.Copy()
	}
	kept := &capturedRequest{verified: d.verified}
	if d.verified {
		kept.entry = d.entry(d.request)
	} else {
		kept.entry.ReceivedAt, kept.entry.Request = d.receivedAt(), storedRequest(d.request)
	}
	kept.entry.Request.Header = d.headers // the headers of the request have changed since
	captured := &deliveries.Capture{
		Delivery: shown, Request: kept,
		URI: kept.entry.Request.URI, Headers: maps.Clone(d.headers), Body: body,
	}
	captured.Headers["Host"] = []string{d.request.Host} // Go stores it separately
	if signed := d.handler.received(kept.request()); signed.Host != "" {
		captured.URL = signed.Scheme + "://" + signed.Host + signed.URI
	}
	recent.AddCaptured(c.settings(d.handler.Provider), captured)
}

// capturedRequest is the request of a capture, with the facts known about it.
type capturedRequest struct {
	entry    inbox.Entry
	verified bool
}

// Size returns the memory that it takes besides URI, headers and body, in
// bytes.
func (c *capturedRequest) Size() int {
	const least, header = 512, 16
	r, f := &c.entry.Request, &c.entry.Facts
	n := least + header*len(r.Header)
	for _, text := range []string{
		r.Method, r.Host, r.Proto, r.RemoteAddr, r.LocalAddr,
		f.ID, f.Event, f.Tenant, f.Environment, f.OccurrenceID, f.UnsignedEvent,
	} {
		n += len(text)
	}
	if r.TLS != nil {
		n += least + len(r.TLS.ServerName)
		for _, der := range r.TLS.Certificates {
			n += len(der)
		}
	}
	return n
}

// request returns an HTTP request for the scheme to read.
func (c *capturedRequest) request() *http.Request {
	stored := &c.entry.Request
	r := &http.Request{Method: stored.Method, Host: stored.Host, Header: stored.Header, RequestURI: stored.URI}
	r.URL, _ = url.ParseRequestURI(stored.URI) // the server has parsed it too
	if r.URL == nil {
		r.URL = new(url.URL)
	}
	if stored.TLS != nil {
		r.TLS = new(tls.ConnectionState)
	}
	return r
}

// spareMemory is the memory that max_buffered leaves for captures.
type spareMemory struct{ budget bodies.Budget }

// Most returns the size of that memory, in bytes.
func (m spareMemory) Most() int64 { return m.budget.Spare() }

// Take takes n bytes, and reports whether there is room.
func (m spareMemory) Take(n int64) bool { return m.budget.TakeSpare(n) }

// GiveBack gives n bytes back.
func (m spareMemory) GiveBack(n int64) { bodies.GiveBackSpare(n) }

func init() { bodies.ReclaimSpare(func(n int64) { recent.Reclaim(n) }) }

// explaining lets one capture be explained at a time, because that keeps a
// processor busy. explainWithin limits how long.
var explaining = make(chan struct{}, 1)

const explainWithin = 250 * time.Millisecond

// notFinished replaces an explanation that would have taken longer.
const notFinished = "not finished"

// explained adds to a captured delivery why it was rejected, according to the
// current configuration of its label.
func explained(ctx context.Context, c deliveries.Capture) deliveries.Whole {
	whole := deliveries.Whole{Capture: c}
	kept, _ := c.Request.(*capturedRequest)
	shared := historiesByLabel.newest(c.Provider)
	if kept == nil || c.Verdict != string(rejected) || shared == nil || shared.handler.Scheme != c.Scheme {
		return whole
	}
	ctx, cancel := context.WithTimeout(ctx, explainWithin)
	defer cancel()
	select {
	case explaining <- struct{}{}:
		defer func() { <-explaining }()
	case <-ctx.Done():
		whole.ExplainedBy = notFinished
		return whole
	}
	h := shared.handler
	d := explain.Delivery{
		Scheme: h.scheme, Definition: h.SchemeDefinition, Secrets: h.secretsOf(c.Tenant),
		Request: h.received(kept.request()), Body: c.Body,
	}
	e := d.Refused(ctx, schemes.Reason(c.Reason))
	var what, do []string
	for _, f := range e.Findings {
		what, do = append(what, f.What), append(do, f.Do)
	}
	switch {
	case !e.Finished && !e.Proven:
		what = append(what, notFinished)
	case len(what) == 0 && e.Tried != "":
		what = []string{"none of these explains it: " + e.Tried}
	}
	if e.Next != "" {
		do = append(do, e.Next)
	}
	whole.ExplainedBy, whole.WhatToDo = strings.Join(what, "; "), strings.Join(do, "; ")
	return whole
}
