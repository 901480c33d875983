package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// changed makes a configuration another one: Caddy does nothing for the same.
func changed(site, mark string) string { return site + "\nheader X-Configuration " + mark }

// TestReload: the history outlives the configuration it was made under, also
// when the history's own settings change.
func TestReload(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	site := openSite(hook("/craneops", "craneops", app.addr))
	g := start(t, site, secrets()...)
	g.send(t, craneops(`{}`)).accepted(t)
	for mark, next := range map[string]string{
		"header":  site,
		"label":   openSite(hook("/craneops", "craneops", app.addr, "provider craneops")),
		"ttl":     openSite(hook("/craneops", "craneops", app.addr, "replay memory {\nttl 1h\n}")),
		"size":    openSite(hook("/craneops", "craneops", app.addr, "replay memory {\nsize 5\n}")),
		"options": openSite(hook("/craneops", "craneops", app.addr, "max_body 1MiB", "retry_after 1s")),
	} {
		t.Run(mark, func(t *testing.T) {
			g.mustReload(t, changed(next, mark))
			a := g.sendAfterReload(t, craneops(`{}`))
			a.duplicate(t)
			if got := a.header.Get("X-Configuration"); got != mark {
				t.Errorf("answered by the configuration %q", got)
			}
		})
	}
	app.saw(t, 1)
}

// TestFailedReload: a configuration that does not load leaves the running one
// with its history, now and after the next good one.
func TestFailedReload(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	good := hook("/craneops", "craneops", app.addr)
	g := start(t, openSite(good), secrets()...)
	g.send(t, craneops(`{}`)).accepted(t)
	bad := map[string]string{
		"unset variable":      openSite(strings.ReplaceAll(good, "CRANEOPS_SECRET", "NOT_SET")),
		"fails after it":      openSite(good, route("/other", verify("mceasy", "CRANEOPS_SECRET"))),
		"shared label":        openSite(good, route("/other", verify("craneops", "CRANEOPS_SECRET"))),
		"window and history":  openSite(hook("/craneops", "cryptr", app.addr, "provider craneops", "replay memory {\nttl 1s\n}")),
		"elsewhere in Caddy":  openSite(good, "reverse_proxy /broken {\ntransport http {\ntls_client_auth /nowhere/cert /nowhere/key\n}\nto 127.0.0.1:9\n}"),
		"fails while parsing": openSite(good, "verify_webhook nobody {env.CRANEOPS_SECRET}"),
	}
	for why, site := range bad {
		t.Run(why, func(t *testing.T) {
			said, err := g.reload(t, site)
			if err == nil {
				t.Error("the reload succeeded")
			}
			if strings.Contains(said, craneopsSecret) {
				t.Error("the reload prints the secret")
			}
			g.sendAfterReload(t, craneops(`{}`)).duplicate(t)
		})
	}
	g.sendAfterReload(t, craneops(`{"new":true}`)).accepted(t)
	g.mustReload(t, changed(openSite(good), "good"))
	g.sendAfterReload(t, craneops(`{}`)).duplicate(t)
	g.sendAfterReload(t, craneops(`{"new":true}`)).duplicate(t)
	app.saw(t, 2)
}

// TestReloadInFlight: a delivery that is being handled during a reload is
// answered, and recorded where the new configuration looks.
func TestReloadInFlight(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	site := openSite(hook("/craneops", "craneops", app.addr, "answer_within 1h"))
	g := start(t, site, secrets()...)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.answers(until(release, http.StatusOK))

	type outcome struct {
		answer
		err error
	}
	first := make(chan outcome, 1)
	go func() {
		a, err := sendGo(t, g, craneops(`{}`))
		first <- outcome{a, err}
	}()
	app.awaitArrivals(t, 1)
	g.mustReload(t, changed(site, "second"))
	a := g.sendAfterReload(t, craneops(`{}`))
	a.rejected(t, "in_flight")
	if got := a.header.Get("X-Configuration"); got != "second" {
		t.Errorf("answered by the configuration %q", got)
	}
	free()
	o := <-first
	if o.err != nil {
		t.Fatal(o.err)
	}
	o.accepted(t)
	g.sendAfterReload(t, craneops(`{}`)).duplicate(t)
	app.saw(t, 1)
}

// TestReloadUnderLoad: while the configuration changes, every delivery reaches
// the application exactly once, if its sender tries until it has an answer.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	site := openSite(hook("/craneops", "craneops", app.addr))
	g := start(t, site, secrets()...)
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
				deliverOnce(t, g, craneops(fmt.Sprintf(`{"n":%d}`, sent.Add(1))))
			}
		})
	}
	for n := range 5 {
		if said, err := g.reload(t, changed(site, fmt.Sprint("load-", n))); err != nil {
			t.Errorf("reloading: %v\n%s", err, said)
		}
	}
	close(done)
	senders.Wait()
	times := map[string]int{}
	for _, r := range app.all() {
		times[string(r.body)]++
	}
	for n := range sent.Load() {
		if body := fmt.Sprintf(`{"n":%d}`, n+1); times[body] != 1 {
			t.Errorf("%s reached the application %d times", body, times[body])
		}
	}
}

// deliverOnce retries as a provider does: without an answer, and after a 503.
func deliverOnce(t *testing.T, g *gateway, d delivery) {
	const pause = 20 * time.Millisecond
	for began := time.Now(); time.Since(began) < patience; time.Sleep(pause) {
		a, err := sendGo(t, g, d)
		if err != nil || a.status == http.StatusServiceUnavailable {
			continue
		}
		if a.status != http.StatusOK {
			t.Errorf("%s: answered %d %s", d.body, a.status, a.reason())
		}
		return
	}
	t.Errorf("%s: never answered", d.body)
}

// TestNewSecret: a rotation by reload; a removed secret does not verify any more.
func TestNewSecret(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	both := `route /craneops* {
		verify_webhook craneops {env.NEW_SECRET} {env.CRANEOPS_SECRET}
		reverse_proxy ` + app.addr + `
	}`
	g := start(t, openSite(both), append(secrets(), "NEW_SECRET=whsec_e2e-canary-next")...)
	resign := func(body string) delivery {
		return craneops(body).with("X-CraneOps-Signature", hexMAC("whsec_e2e-canary-next", body))
	}
	g.send(t, craneops(`{"key":"old"}`)).accepted(t)
	g.send(t, resign(`{"key":"new"}`)).accepted(t)
	g.send(t, resign(`{"key":"old"}`)).duplicate(t)
	g.mustReload(t, openSite(strings.ReplaceAll(both, " {env.CRANEOPS_SECRET}", "")))
	g.sendAfterReload(t, craneops(`{"key":"older","at":"`+unix(time.Now())+`"}`)).rejected(t, "signature_mismatch")
	g.sendAfterReload(t, resign(`{"key":"old"}`)).duplicate(t)
	app.saw(t, 2)
}
