package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// changed changes a configuration, because Caddy does not load an unchanged
// one.
func changed(site, mark string) string { return site + "\nheader X-Configuration " + mark }

// TestReload: the history outlives its configuration, even if the history's own
// settings change.
func TestReload(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	site := harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr))
	g := harness.Start(t, site, harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	for mark, next := range map[string]string{
		"header":  site,
		"label":   harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "provider craneops")),
		"ttl":     harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "replay memory {\nttl 1h\n}")),
		"size":    harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "replay memory {\nsize 5\n}")),
		"options": harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "max_body 1MiB", "retry_after 1s")),
	} {
		t.Run(mark, func(t *testing.T) {
			g.MustReload(t, changed(next, mark))
			a := g.SendAfterReload(t, harness.CraneOps(`{}`))
			a.Duplicate(t)
			if got := a.Header.Get("X-Configuration"); got != mark {
				t.Errorf("answered by the configuration %q", got)
			}
		})
	}
	app.Saw(t, 1)
}

// TestFailedReload: a configuration that does not load leaves the running one
// with its history, now and after the next good one.
func TestFailedReload(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	good := harness.Hook("/craneops", "craneops", app.Addr)
	g := harness.Start(t, harness.OpenSite(good), harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	bad := map[string]string{
		"unset variable":      harness.OpenSite(strings.ReplaceAll(good, "CRANEOPS_SECRET", "NOT_SET")),
		"fails after it":      harness.OpenSite(good, harness.Route("/other", harness.Verify("mceasy", "CRANEOPS_SECRET"))),
		"shared label":        harness.OpenSite(good, harness.Route("/other", harness.Verify("craneops", "CRANEOPS_SECRET"))),
		"window and history":  harness.OpenSite(harness.Hook("/craneops", "cryptr", app.Addr, "provider craneops", "replay memory {\nttl 1s\n}")),
		"elsewhere in Caddy":  harness.OpenSite(good, "reverse_proxy /broken {\ntransport http {\ntls_client_auth /nowhere/cert /nowhere/key\n}\nto 127.0.0.1:9\n}"),
		"fails while parsing": harness.OpenSite(good, "verify_webhook nobody {env.CRANEOPS_SECRET}"),
	}
	for why, site := range bad {
		t.Run(why, func(t *testing.T) {
			said, err := g.Reload(t, site)
			if err == nil {
				t.Error("the reload succeeded")
			}
			if strings.Contains(said, harness.CraneOpsSecret) {
				t.Error("the reload prints the secret")
			}
			g.SendAfterReload(t, harness.CraneOps(`{}`)).Duplicate(t)
		})
	}
	g.SendAfterReload(t, harness.CraneOps(`{"new":true}`)).Accepted(t)
	g.MustReload(t, changed(harness.OpenSite(good), "good"))
	g.SendAfterReload(t, harness.CraneOps(`{}`)).Duplicate(t)
	g.SendAfterReload(t, harness.CraneOps(`{"new":true}`)).Duplicate(t)
	app.Saw(t, 2)
}

// TestReloadInFlight: a delivery that is being handled during a reload is
// answered, and recorded where the new configuration finds it.
func TestReloadInFlight(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	site := harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "answer_within 1h"))
	g := harness.Start(t, site, harness.Secrets()...)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.Answers(harness.Until(release, http.StatusOK))

	type outcome struct {
		harness.Answer
		err error
	}
	first := make(chan outcome, 1)
	go func() {
		a, err := harness.SendGo(t, g, harness.CraneOps(`{}`))
		first <- outcome{a, err}
	}()
	app.AwaitArrivals(t, 1)
	g.MustReload(t, changed(site, "second"))
	a := g.SendAfterReload(t, harness.CraneOps(`{}`))
	a.Rejected(t, "in_flight")
	if got := a.Header.Get("X-Configuration"); got != "second" {
		t.Errorf("answered by the configuration %q", got)
	}
	free()
	o := <-first
	if o.err != nil {
		t.Fatal(o.err)
	}
	o.Accepted(t)
	g.SendAfterReload(t, harness.CraneOps(`{}`)).Duplicate(t)
	app.Saw(t, 1)
}

// TestReloadUnderLoad: while the configuration changes, every delivery reaches
// the application exactly once, if its sender retries until it has an answer.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	site := harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr))
	g := harness.Start(t, site, harness.Secrets()...)
	done := make(chan struct{})
	var sent atomic.Int64
	var senders sync.WaitGroup
	for range 3 {
		senders.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				deliverOnce(t, g, harness.CraneOps(fmt.Sprintf(`{"n":%d}`, sent.Add(1))))
			}
		})
	}
	for n := range 5 {
		if said, err := g.Reload(t, changed(site, fmt.Sprint("load-", n))); err != nil {
			t.Errorf("reloading: %v\n%s", err, said)
		}
	}
	close(done)
	senders.Wait()
	times := map[string]int{}
	for _, r := range app.All() {
		times[string(r.Body)]++
	}
	for n := range sent.Load() {
		if body := fmt.Sprintf(`{"n":%d}`, n+1); times[body] != 1 {
			t.Errorf("%s reached the application %d times", body, times[body])
		}
	}
}

// deliverOnce retries as a provider does: without an answer, and after a 503.
func deliverOnce(t *testing.T, g *harness.Gateway, d harness.Delivery) {
	const pause = 20 * time.Millisecond
	for began := time.Now(); time.Since(began) < harness.Patience; time.Sleep(pause) {
		a, err := harness.SendGo(t, g, d)
		if err != nil || a.Status == http.StatusServiceUnavailable {
			continue
		}
		if a.Status != http.StatusOK {
			t.Errorf("%s: answered %d %s", d.Body, a.Status, a.Reason())
		}
		return
	}
	t.Errorf("%s: never answered", d.Body)
}

// TestNewSecret: a rotation by reload; a removed secret does not verify any more.
func TestNewSecret(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	both := `route /craneops* {
		verify_webhook craneops {env.NEW_SECRET} {env.CRANEOPS_SECRET}
		reverse_proxy ` + app.Addr + `
	}`
	g := harness.Start(t, harness.OpenSite(both), append(harness.Secrets(), "NEW_SECRET=whsec_e2e-canary-next")...)
	resign := func(body string) harness.Delivery {
		return harness.CraneOps(body).With("X-CraneOps-Signature", harness.HexMAC("whsec_e2e-canary-next", body))
	}
	g.Send(t, harness.CraneOps(`{"key":"old"}`)).Accepted(t)
	g.Send(t, resign(`{"key":"new"}`)).Accepted(t)
	g.Send(t, resign(`{"key":"old"}`)).Duplicate(t)
	g.MustReload(t, harness.OpenSite(strings.ReplaceAll(both, " {env.CRANEOPS_SECRET}", "")))
	g.SendAfterReload(t, harness.CraneOps(`{"key":"older","at":"`+harness.Unix(time.Now())+`"}`)).Rejected(t, "signature_mismatch")
	g.SendAfterReload(t, resign(`{"key":"old"}`)).Duplicate(t)
	app.Saw(t, 2)
}
