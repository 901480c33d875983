package e2e

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestSecondUpstream: if the first upstream breaks in the middle of the body,
// the second gets the whole body.
func TestSecondUpstream(t *testing.T) {
	t.Parallel()
	first, second := harness.NewApplication(t), harness.NewApplication(t)
	first.Reads(func(r *http.Request) {
		_, _ = r.Body.Read(make([]byte, 1000))
		panic(http.ErrAbortHandler)
	})
	g := harness.Start(t, harness.OpenSite(harness.Route("/craneops", harness.Verify("craneops", "CRANEOPS_SECRET"), `reverse_proxy `+first.Addr+` `+second.Addr+` {
		lb_policy first
		lb_retries 2
		lb_retry_match {
			method POST
		}
		fail_duration 30s
	}`)), harness.Secrets()...)
	for name, size := range map[string]int{"small": 2 << 10, "large": 4 << 20} {
		t.Run(name, func(t *testing.T) {
			d := harness.CraneOps(strings.Repeat("x", size)).To("/craneops?size=" + name)
			g.Send(t, d).Accepted(t)
			got := second.With(d.Path)
			if len(got) != 1 {
				t.Fatalf("the second upstream received it %d times", len(got))
			}
			got[0].Carries(t, d)
		})
	}
	if first.Arrivals() == 0 {
		t.Error("the first upstream was never asked")
	}
}

// TestEarlyAnswers: an application may answer before it has read anything. Then
// the gateway's transport is still reading the body, whose memory must not yet
// serve another delivery.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	hasty := httptest.NewServer(harness.Status(http.StatusOK))
	t.Cleanup(hasty.Close)
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/hasty", "craneops", strings.TrimPrefix(hasty.URL, "http://"), "provider hasty"),
		harness.Hook("/thorough", "craneops", app.Addr, "provider thorough"),
	), harness.Secrets()...)

	var senders sync.WaitGroup
	for sender := range 4 {
		senders.Go(func() {
			for n := range 8 {
				body := make([]byte, 256<<10)
				_, _ = rand.Read(body)
				d := harness.CraneOps(string(body))
				if a, err := harness.SendGo(t, g, d.To("/hasty")); err != nil || a.Status != http.StatusOK {
					t.Errorf("hasty: %d %v", a.Status, err)
				}
				d = d.To(fmt.Sprintf("/thorough?%d.%d", sender, n))
				if a, err := harness.SendGo(t, g, d); err != nil || a.Status != http.StatusOK {
					t.Errorf("thorough: %d %v", a.Status, err)
				}
				if got := app.With(d.Path); len(got) == 1 {
					got[0].Carries(t, d)
				} else {
					t.Errorf("the application received it %d times", len(got))
				}
			}
		})
	}
	senders.Wait()
}

// TestOneConnection: unread bytes of one request on a connection do not become
// part of the next.
func TestOneConnection(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "replay off")
	d := harness.CraneOps(`{"kept":"alive"}`)
	forged := d.Saying([]byte(`{"kept":"forged"}`))
	w := g.Dial(t)
	for range 3 {
		w.Write(t, d.Whole(), forged.Whole(), d.Chunked(nil, "Webhook-Id: "+marker), forged.Without("X-CraneOps-Signature").Whole())
		w.MustRead(t).Accepted(t)
		w.MustRead(t).Rejected(t, "signature_mismatch")
		w.MustRead(t).Accepted(t)
		w.MustRead(t).Rejected(t, "missing_signature")
	}
	app.Saw(t, 6)
	for _, r := range app.All() {
		r.Carries(t, d)
		genuine(t, r)
	}
}

// TestOuterLimit: a limit that another handler sets earlier stays a 413.
func TestOuterLimit(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Route("/craneops", "request_body {\nmax_size 1KiB\n}",
		harness.Verify("craneops", "CRANEOPS_SECRET"), "reverse_proxy "+app.Addr)), harness.Secrets()...)
	d := harness.CraneOps(strings.Repeat("x", 2000))
	for how, text := range map[string]string{"declared": d.Whole(), "chunked": d.Chunked(nil)} {
		t.Run(how, func(t *testing.T) {
			if a := g.Exchange(t, text); a.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("answered %d %s", a.Status, a.Reason())
			}
		})
	}
	app.Saw(t, 0)
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
}
