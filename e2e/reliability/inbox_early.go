package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// wrapped is how the application of inboxEarly is written into the site: with
// handlers before and after verify_webhook that change answers.
var wrapped = site{
	before: []string{"encode gzip", "header >X-Before yes", "templates"},
	after: []string{
		"header >X-After yes", "encode gzip", "templates",
		"intercept {\n\t\t\t@taken status 202\n\t\t\treplace_status @taken 200\n\t\t}",
	},
}

// inboxEarly has senders answered while the application still works, with
// handlers before and after verify_webhook that change answers. The next request
// on the connection must not see anything of the late answer.
func inboxEarly(ctx context.Context, t *trial) error {
	box, app, end, err := startBoxed()
	if err != nil {
		return err
	}
	defer end()
	late := &lateApplication{taker: app}
	behave := late.serve
	app.behave.Store(&behave)
	s := wrapped
	s.application, s.options, s.proxy = app.application, box.options(rescuing()...), namesProcess
	g, err := startGateway(ctx, t, s)
	if err != nil {
		return err
	}
	defer g.Stop()
	c := g.client(t.protocol)
	defer c.close()
	for n := range t.extent.early {
		if err := late.meet(ctx, c, n); err != nil {
			return fmt.Errorf("delivery %d: %w", n, err)
		}
	}
	left, err := g.drained(ctx)
	if err != nil {
		return err
	}
	fates := app.tally()
	t.report(
		app.sound() && left == 0 && fates.accepted == 2*t.extent.early && late.whole > 0,
		fmt.Sprintf("%d senders answered while the application works, through encode, templates, intercept and header on both sides", t.extent.early),
		fmt.Sprintf("%v; %d of the next answers came from the application; %d left in the end", app, late.whole, left),
		"an empty 200 at once, the next answers on the connection untouched, nothing lost, changed or repeated",
	)
	return nil
}

// lateApplication answers some deliveries only when it is told to.
type lateApplication struct {
	*taker
	meeting atomic.Pointer[chan struct{}] // the next delivery waits for it to be closed
	whole   int                           // answers that reached a sender
}

// rendering is an answer that every handler would change.
const rendering = `<html>{{"rendered"}}` + "\n"

func (l *lateApplication) serve(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Late") != "" {
		select {
		case <-*l.meeting.Load():
		case <-r.Context().Done():
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
	}
	d, ok := l.receive(r.Body)
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	l.note(d, r.Header)
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("X-Answer", "the application's")
	w.WriteHeader(http.StatusAccepted) // intercept makes 200 of it
	_, _ = io.WriteString(w, strings.Repeat(rendering, 100))
}

// meet sends a delivery that is answered early, another request while the
// application still works, and one when it has answered, on one connection.
func (l *lateApplication) meet(ctx context.Context, c *client, n int) error {
	meeting := make(chan struct{})
	l.meeting.Store(&meeting)
	early := l.next(2 * kib)
	res, err := c.send(ctx, l.application, early, http.Header{"X-Late": {"1"}})
	if err != nil {
		return err
	}
	if !res.isEarly() {
		return fmt.Errorf("the early answer is %d %.80q with %v", res.status, res.text, res.header)
	}
	// Before, during and after the next request.
	time.AfterFunc(time.Duration(n%10)*time.Millisecond, func() { close(meeting) })
	plain, err := c.post(ctx, "/respond", nil, 0, nil)
	if err == nil && plain.status != http.StatusNoContent {
		err = fmt.Errorf("the request after it: %d", plain.status)
	}
	res, errNext := c.send(ctx, l.application, l.next(2*kib), nil)
	if err = errors.Join(err, errNext); err != nil {
		return err
	}
	if res.isEarly() { // the machine is busy
		return nil
	}
	l.whole++
	if want := strings.Repeat("<html>rendered\n", 100); res.status != http.StatusOK || res.text != want || res.header.Get("X-After") != "yes" || res.header.Get("X-Before") != "yes" {
		return fmt.Errorf("the next answer is %d %.80q with %v", res.status, res.text, res.header)
	}
	return nil
}

// said is an answer with its text.
type said struct {
	status int
	header http.Header
	text   string
}

// isEarly says that it is the gateway's answer to what it keeps.
func (s said) isEarly() bool {
	return s.status == http.StatusOK && s.text == "" && s.header.Get("X-Answer") == "" && s.header.Get("X-After") == ""
}

// send delivers and reads the whole answer.
func (c *client) send(ctx context.Context, a *application, d delivery, header http.Header) (said, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+a.path, newBody(d.n, d.size))
	if err != nil {
		return said{}, err
	}
	r.ContentLength = int64(d.size)
	if header != nil {
		r.Header = header
	}
	r.Header.Set("X-Craneops-Signature", d.signature)
	r.Header.Set("X-Craneops-Event", "reliability")
	res, err := c.http.Do(r)
	if err != nil {
		return said{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if res.StatusCode == http.StatusOK {
		a.noteAccepted(d)
	}
	return said{res.StatusCode, res.Header, string(text)}, err
}
