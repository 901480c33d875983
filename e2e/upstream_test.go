package e2e

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestSecondUpstream: when the first upstream breaks in the middle of the body,
// the second gets the whole.
func TestSecondUpstream(t *testing.T) {
	t.Parallel()
	first, second := newApplication(t), newApplication(t)
	first.reads(func(r *http.Request) {
		_, _ = r.Body.Read(make([]byte, 1000))
		panic(http.ErrAbortHandler)
	})
	g := start(t, openSite(route("/craneops", verify("craneops", "CRANEOPS_SECRET"), `reverse_proxy `+first.addr+` `+second.addr+` {
		lb_policy first
		lb_retries 2
		lb_retry_match {
			method POST
		}
		fail_duration 30s
	}`)), secrets()...)
	for name, size := range map[string]int{"small": 2 << 10, "large": 4 << 20} {
		t.Run(name, func(t *testing.T) {
			d := craneops(strings.Repeat("x", size)).to("/craneops?size=" + name)
			g.send(t, d).accepted(t)
			got := second.with(d.path)
			if len(got) != 1 {
				t.Fatalf("the second upstream received it %d times", len(got))
			}
			got[0].carries(t, d)
		})
	}
	if first.arrivals() == 0 {
		t.Error("the first upstream was never asked")
	}
}

// TestEarlyAnswers: an application may answer before it has read anything. Then
// the gateway's transport is still reading the body, whose memory must not yet
// serve another delivery.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	hasty := httptest.NewServer(status(http.StatusOK))
	t.Cleanup(hasty.Close)
	app := newApplication(t)
	g := start(t, openSite(
		hook("/hasty", "craneops", strings.TrimPrefix(hasty.URL, "http://"), "provider hasty"),
		hook("/thorough", "craneops", app.addr, "provider thorough"),
	), secrets()...)

	var senders sync.WaitGroup
	for sender := range 4 {
		senders.Go(func() {
			for n := range 8 {
				body := make([]byte, 256<<10)
				_, _ = rand.Read(body)
				d := craneops(string(body))
				if a, err := sendGo(t, g, d.to("/hasty")); err != nil || a.status != http.StatusOK {
					t.Errorf("hasty: %d %v", a.status, err)
				}
				d = d.to(fmt.Sprintf("/thorough?%d.%d", sender, n))
				if a, err := sendGo(t, g, d); err != nil || a.status != http.StatusOK {
					t.Errorf("thorough: %d %v", a.status, err)
				}
				if got := app.with(d.path); len(got) == 1 {
					got[0].carries(t, d)
				} else {
					t.Errorf("the application received it %d times", len(got))
				}
			}
		})
	}
	senders.Wait()
}

// TestOneConnection: what one request leaves on a connection does not become
// part of the next.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "replay off")
	d := craneops(`{"kept":"alive"}`)
	forged := d.saying([]byte(`{"kept":"forged"}`))
	w := g.dial(t)
	for range 3 {
		w.write(t, d.whole(), forged.whole(), d.chunked(nil, "Webhook-Id: "+marker), forged.without("X-CraneOps-Signature").whole())
		w.mustRead(t).accepted(t)
		w.mustRead(t).rejected(t, "signature_mismatch")
		w.mustRead(t).accepted(t)
		w.mustRead(t).rejected(t, "missing_signature")
	}
	app.saw(t, 6)
	for _, r := range app.all() {
		r.carries(t, d)
		genuine(t, r)
	}
}

// TestOuterLimit: a limit that another handler sets earlier stays a 413.
func TestOuterLimit(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(route("/craneops", "request_body {\nmax_size 1KiB\n}",
		verify("craneops", "CRANEOPS_SECRET"), "reverse_proxy "+app.addr)), secrets()...)
	d := craneops(strings.Repeat("x", 2000))
	for how, text := range map[string]string{"declared": d.whole(), "chunked": d.chunked(nil)} {
		t.Run(how, func(t *testing.T) {
			if a := g.exchange(t, text); a.status != http.StatusRequestEntityTooLarge {
				t.Errorf("answered %d %s", a.status, a.reason())
			}
		})
	}
	app.saw(t, 0)
	g.send(t, craneops(`{}`)).accepted(t)
}
