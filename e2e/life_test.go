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

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// inFlight is how many deliveries are being handled when a gateway is stopped.
const inFlight = 200

// TestStopInFlight: a stop by any means answers and records every delivery in
// flight.
func TestStopInFlight(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(g *harness.Gateway) error{
		"SIGTERM":        func(g *harness.Gateway) error { return g.Cmd.Process.Signal(syscall.SIGTERM) },
		"hooklatch stop": func(g *harness.Gateway) error { return g.Command("stop", "--address", g.Admin).Run() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := harness.NewApplication(t)
			history := replayFile(filepath.Join(t.TempDir(), "history.db"))
			g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, history, "answer_within 1h")), harness.Secrets()...)
			release := make(chan struct{})
			free := closing(release)
			defer free()
			app.Answers(harness.Until(release, http.StatusOK))

			var senders sync.WaitGroup
			each := func(f func(d harness.Delivery)) {
				for n := range inFlight {
					senders.Go(func() { f(harness.CraneOps(fmt.Sprintf(`{"n":%d}`, n))) })
				}
			}
			each(func(d harness.Delivery) {
				a, err := harness.SendGo(t, g, d)
				if err != nil {
					t.Errorf("%s: %v", d.Body, err)
					return
				}
				a.Accepted(t)
			})
			app.AwaitArrivals(t, inFlight)
			stopped := make(chan error, 1)
			go func() { stopped <- stop(g) }() // the command returns at the end
			g.Log.Await(t, "the stop", func(e harness.Entry) bool { return strings.HasPrefix(e.Text("msg"), "servers shutting down") })
			free()
			senders.Wait()
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			harness.Await(t, &g.Log.Notice, "the gateway's end", g.Gone)
			if code := g.Cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("exit status %d", code)
			}

			g = g.Restart(t)
			each(func(d harness.Delivery) { g.Send(t, d).Duplicate(t) })
			senders.Wait()
			app.Saw(t, inFlight)
		})
	}
}

// TestRestartBehindProxy: behind a proxy that waits, as in
// docs/behind-a-proxy.md, a gateway can be replaced. Only a request on a
// connection that the old one is closing fails, and is sent again. The proxy
// waits longer than in the document, because a busy machine starts the gateway
// late.
func TestRestartBehindProxy(t *testing.T) {
	t.Parallel()
	const total = 2000
	app := harness.NewApplication(t)
	history := replayFile(filepath.Join(t.TempDir(), "history.db"))
	inner := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, history)), harness.Secrets()...)
	edge := harness.Start(t, harness.BareSite(harness.Route("/", `reverse_proxy `+inner.Addr+` {
		lb_try_duration 30s
	}`)))
	tr := newTraffic(app, total, edge)
	tr.run(t, func() {
		inner.Stop(t)
		inner = inner.Restart(t)
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

// TestAdminRoutes adds, changes and removes a route with verify_webhook through
// the admin endpoint, while another route keeps its history.
func TestAdminRoutes(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr)), append(harness.Secrets(), "NEXT_SECRET="+nextCraneopsSecret)...)
	g.Send(t, harness.CraneOps(`{"before":1}`)).Accepted(t)

	const routes, id = "/config/apps/http/servers/srv0/routes", "/id/added"
	const shown = `{"handler":"headers","response":{"deferred":true,"set":{"X-Verdict":["{http.verify_webhook.verdict}"],"X-Reason":["{http.verify_webhook.reason}"]}}}`
	added := func(handler string) string {
		return `{"@id":"added","match":[{"path":["/added"]}],"terminal":true,"handle":[` + shown + `,` + handler +
			`,{"handler":"reverse_proxy","upstreams":[{"dial":"` + app.Addr + `"}]}]}`
	}
	handler := func(secret string) string {
		return `{"@id":"handler","handler":"verify_webhook","scheme":"craneops","provider":"added","secrets":["{env.` + secret + `}"]}`
	}
	must := func(method, path, body string) {
		t.Helper()
		if code, said := g.Ask(t, method, path, body); code != http.StatusOK {
			t.Fatalf("%s %s: %d %s", method, path, code, said)
		}
	}
	to := func(body string) harness.Delivery { return harness.CraneOps(body).To("/added") }
	resigned := func(body string) harness.Delivery {
		return to(body).With("X-CraneOps-Signature", harness.HexMAC(nextCraneopsSecret, body))
	}

	g.SendAfterReload(t, to(`{"n":1}`)).Is(t, http.StatusNotFound, "", "")
	must(http.MethodPut, routes+"/0", added(handler("CRANEOPS_SECRET")))
	g.SendAfterReload(t, to(`{"n":1}`)).Accepted(t)
	g.SendAfterReload(t, to(`{"n":1}`)).Duplicate(t)
	g.SendAfterReload(t, resigned(`{"n":2}`)).Rejected(t, "signature_mismatch")

	must(http.MethodPatch, "/id/handler/secrets/0", `"{env.NEXT_SECRET}"`)
	g.SendAfterReload(t, to(`{"n":2}`)).Rejected(t, "signature_mismatch")
	g.SendAfterReload(t, resigned(`{"n":2}`)).Accepted(t)
	g.SendAfterReload(t, resigned(`{"n":1}`)).Duplicate(t)

	for body, why := range map[string]string{
		added(handler("NOT_SET")): "{env.NOT_SET} is not there or empty",
		added(strings.Replace(handler("NEXT_SECRET"), `"added"`, `"craneops"`, 1)):               "another handler has the label",
		added(strings.Replace(handler("NEXT_SECRET"), `"scheme"`, `"max_bodies":1,"scheme"`, 1)): "max_bodies",
	} {
		if code, said := g.Ask(t, http.MethodPatch, id, body); code != http.StatusInternalServerError || !strings.Contains(said, why) {
			t.Errorf("%d %s without %q", code, said, why)
		}
		g.SendAfterReload(t, resigned(`{"n":2}`)).Duplicate(t)
	}

	must(http.MethodDelete, id, "")
	g.SendAfterReload(t, resigned(`{"n":3}`)).Is(t, http.StatusNotFound, "", "")
	g.SendAfterReload(t, harness.CraneOps(`{"before":1}`)).Duplicate(t)
	app.Saw(t, 3)
}

// TestAdapted: the output of adapt, loaded through the admin endpoint, behaves
// like the Caddyfile and keeps the history.
func TestAdapted(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	adapted, err := g.Command("adapt", "--config", g.Config).Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(adapted), harness.CraneOpsSecret) {
		t.Error("adapt prints the secret")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.Admin+"/load", strings.NewReader(string(adapted)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Cache-Control", "must-revalidate") // load it even if it is the same
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("answered %d", response.StatusCode)
	}
	g.SendAfterReload(t, harness.CraneOps(`{}`)).Duplicate(t)
	g.SendAfterReload(t, harness.CraneOps(`{"new":1}`)).Accepted(t)
	app.Saw(t, 2)
}
