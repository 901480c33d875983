package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// inFlight is how many deliveries are being handled when a gateway is stopped.
const inFlight = 200

// TestStopInFlight: a stop answers and records every delivery that the gateway
// has, however it is told to stop.
func TestStopInFlight(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(g *gateway) error{
		"SIGTERM":        func(g *gateway) error { return g.cmd.Process.Signal(syscall.SIGTERM) },
		"hooklatch stop": func(g *gateway) error { return g.command("stop", "--address", g.admin).Run() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := newApplication(t)
			history := replayFile(filepath.Join(t.TempDir(), "history.db"))
			g := start(t, openSite(hook("/craneops", "craneops", app.addr, history, "answer_within 1h")), secrets()...)
			release := make(chan struct{})
			free := closing(release)
			defer free()
			app.answers(until(release, http.StatusOK))

			var senders sync.WaitGroup
			each := func(f func(d delivery)) {
				for n := range inFlight {
					senders.Go(func() { f(craneops(fmt.Sprintf(`{"n":%d}`, n))) })
				}
			}
			each(func(d delivery) {
				a, err := sendGo(t, g, d)
				if err != nil {
					t.Errorf("%s: %v", d.body, err)
					return
				}
				a.accepted(t)
			})
			app.awaitArrivals(t, inFlight)
			stopped := make(chan error, 1)
			go func() { stopped <- stop(g) }() // the command returns at the end
			g.log.await(t, "the stop", func(e entry) bool { return strings.HasPrefix(e.text("msg"), "servers shutting down") })
			free()
			senders.Wait()
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			await(t, &g.log.notice, "the gateway's end", g.gone)
			if code := g.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("exit status %d", code)
			}

			g = g.restart(t)
			each(func(d delivery) { g.send(t, d).duplicate(t) })
			senders.Wait()
			app.saw(t, inFlight)
		})
	}
}

// TestRestartBehindProxy: a proxy that waits, as docs/behind-a-proxy.md has it,
// lets one gateway be exchanged. Only a request on a connection that the old one
// is just closing fails, and is sent again. It waits longer than there, because
// a busy machine starts the gateway late.
func TestRestartBehindProxy(t *testing.T) {
	t.Parallel()
	const total = 2000
	app := newApplication(t)
	history := replayFile(filepath.Join(t.TempDir(), "history.db"))
	inner := start(t, openSite(hook("/craneops", "craneops", app.addr, history)), secrets()...)
	edge := start(t, bareSite(route("/", `reverse_proxy `+inner.addr+` {
		lb_try_duration 30s
	}`)))
	tr := newTraffic(app, total, edge)
	tr.run(t, func() {
		inner.stop(t)
		inner = inner.restart(t)
	})
	for why, n := range tr.refused {
		if why != "502 " {
			t.Errorf("refused with %s: %d times", why, n)
		}
	}
	for body, n := range tr.times() {
		if n != 1 {
			t.Errorf("%s reached the application %d times", body, n)
		}
	}
	if got := len(tr.times()); got != total {
		t.Errorf("%d of %d deliveries reached the application", got, total)
	}
	t.Logf("%d deliveries; sent again %v; the longest took %v", total, tr.refused, time.Duration(tr.longest.Load()))
}

// TestAdminRoutes adds a route with verify_webhook through the admin endpoint,
// changes it and takes it away, while another route keeps its history.
func TestAdminRoutes(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(hook("/craneops", "craneops", app.addr)), append(secrets(), "NEXT_SECRET="+nextCraneopsSecret)...)
	g.send(t, craneops(`{"before":1}`)).accepted(t)

	const routes, id = "/config/apps/http/servers/srv0/routes", "/id/added"
	const shown = `{"handler":"headers","response":{"deferred":true,"set":{"X-Verdict":["{http.verify_webhook.verdict}"],"X-Reason":["{http.verify_webhook.reason}"]}}}`
	added := func(handler string) string {
		return `{"@id":"added","match":[{"path":["/added"]}],"terminal":true,"handle":[` + shown + `,` + handler +
			`,{"handler":"reverse_proxy","upstreams":[{"dial":"` + app.addr + `"}]}]}`
	}
	handler := func(secret string) string {
		return `{"@id":"handler","handler":"verify_webhook","scheme":"craneops","provider":"added","secrets":["{env.` + secret + `}"]}`
	}
	must := func(method, path, body string) {
		t.Helper()
		if code, said := g.ask(t, method, path, body); code != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, code, said)
		}
	}
	to := func(body string) delivery { return craneops(body).to("/added") }
	resigned := func(body string) delivery {
		return to(body).with("X-CraneOps-Signature", hexMAC(nextCraneopsSecret, body))
	}

	g.sendAfterReload(t, to(`{"n":1}`)).is(t, http.StatusNotFound, "", "")
	must(http.MethodPut, routes+"/0", added(handler("CRANEOPS_SECRET")))
	g.sendAfterReload(t, to(`{"n":1}`)).accepted(t)
	g.sendAfterReload(t, to(`{"n":1}`)).duplicate(t)
	g.sendAfterReload(t, resigned(`{"n":2}`)).rejected(t, "signature_mismatch")

	must(http.MethodPatch, "/id/handler/secrets/0", `"{env.NEXT_SECRET}"`)
	g.sendAfterReload(t, to(`{"n":2}`)).rejected(t, "signature_mismatch")
	g.sendAfterReload(t, resigned(`{"n":2}`)).accepted(t)
	g.sendAfterReload(t, resigned(`{"n":1}`)).duplicate(t)

	for body, why := range map[string]string{
		added(handler("NOT_SET")): "{env.NOT_SET} is not there or empty",
		added(strings.Replace(handler("NEXT_SECRET"), `"added"`, `"craneops"`, 1)):               "another handler has the label",
		added(strings.Replace(handler("NEXT_SECRET"), `"scheme"`, `"max_bodies":1,"scheme"`, 1)): "max_bodies",
	} {
		if code, said := g.ask(t, http.MethodPatch, id, body); code != http.StatusInternalServerError || !strings.Contains(said, why) {
			t.Errorf("%d %s without %q", code, said, why)
		}
		g.sendAfterReload(t, resigned(`{"n":2}`)).duplicate(t)
	}

	must(http.MethodDelete, id, "")
	g.sendAfterReload(t, resigned(`{"n":3}`)).is(t, http.StatusNotFound, "", "")
	g.sendAfterReload(t, craneops(`{"before":1}`)).duplicate(t)
	app.saw(t, 3)
}

// TestAdapted: what adapt prints is a configuration that does the same, loaded
// through the admin endpoint; the history stays.
func TestAdapted(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	g.send(t, craneops(`{}`)).accepted(t)
	adapted, err := g.command("adapt", "--config", g.config).Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(adapted), craneopsSecret) {
		t.Error("adapt prints the secret")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.admin+"/load", strings.NewReader(string(adapted)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Cache-Control", "must-revalidate") // also if it is the same
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("answered %d", response.StatusCode)
	}
	g.sendAfterReload(t, craneops(`{}`)).duplicate(t)
	g.sendAfterReload(t, craneops(`{"new":1}`)).accepted(t)
	app.saw(t, 2)
}
