package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// inboxFile is the option, with retries that a test can wait for.
func inboxFile(path string, options ...string) string {
	return "inbox file " + path + " {\nretry 50ms 200ms\n" + strings.Join(options, "\n") + "\n}"
}

// kept is a delivery as the admin endpoint lists it.
type kept struct {
	Provider, ID, State, Path string
	Attempts                  int
	LastStatus                int `json:"last_status"`
}

// inbox reads the list from the admin endpoint.
func (g *gateway) inbox(t *testing.T, query string) []kept {
	t.Helper()
	res, err := http.Get("http://" + g.admin + "/verify_webhook/inbox" + query)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var list []kept
	if err := json.Unmarshal(text, &list); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%d %s: %v", res.StatusCode, text, err)
	}
	return list
}

func (g *gateway) awaitInbox(t *testing.T, n int) {
	t.Helper()
	poll(t, fmt.Sprintf("an inbox with %d deliveries", n), func() bool { return len(g.inbox(t, "")) == n })
}

// TestInboxRescue: an application that is down loses nothing, whatever becomes
// of the gateway meanwhile.
func TestInboxRescue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		then func(t *testing.T, g *gateway) *gateway
	}{
		{"nothing", func(_ *testing.T, g *gateway) *gateway { return g }},
		{"stopped and started", func(t *testing.T, g *gateway) *gateway { g.stop(t); return restartFileGateway(t, g) }},
		{"killed and started", func(t *testing.T, g *gateway) *gateway { killFileGateway(t, g); return restartFileGateway(t, g) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app := newApplication(t)
			app.answers(status(http.StatusBadGateway))
			path := filepath.Join(t.TempDir(), "inbox.db")
			g := start(t, openSite(hook("/craneops", "craneops", app.addr, inboxFile(path))), secrets()...)
			small, large := craneops(`{"small":1}`), craneops(`{"large":"`+strings.Repeat("x", 300_000)+`"}`)
			for _, d := range []delivery{small, large} {
				send(t, g, d.to("/craneops/a%2Fb?c=1")).accepted(t)
			}
			g.awaitInbox(t, 2)
			g = c.then(t, g)
			for _, d := range []delivery{small, large} {
				send(t, g, d).duplicate(t)
			}
			before := len(app.all())
			app.answers(status(http.StatusOK))
			g.awaitInbox(t, 0)
			again := app.all()[before:]
			if len(again) != 2 {
				t.Fatalf("%d were handed over, want 2", len(again))
			}
			for _, r := range again {
				want := small
				if len(r.body) > 1000 {
					want = large
				}
				if string(r.body) != string(want.body) || r.uri != "/craneops/a%2Fb?c=1" || r.header.Get("X-Craneops-Signature") != want.get("X-CraneOps-Signature") {
					t.Errorf("%s with %d bytes, %v", r.uri, len(r.body), r.header)
				}
				if r.header.Get("Webhook-Attempt") == "" || r.header.Get("Webhook-Received-At") == "" || r.header.Get("Webhook-Verdict") != "accepted" {
					t.Errorf("headers %v", r.header)
				}
			}
			for _, d := range []delivery{small, large} {
				if c.name == "nothing" { // the history in memory ends with the process
					send(t, g, d).duplicate(t)
				}
			}
		})
	}
}

// TestInboxUnreachableApplication: nothing listens there until something does.
func TestInboxUnreachableApplication(t *testing.T) {
	t.Parallel()
	port := freePort(t)
	g := start(t, openSite(hook("/craneops", "craneops", "127.0.0.1:"+port, inboxFile(filepath.Join(t.TempDir(), "inbox.db")))), secrets()...)
	send(t, g, craneops(`{}`)).accepted(t)
	g.awaitInbox(t, 1)
	app := newApplication(t)
	text := openSite(hook("/craneops", "craneops", app.addr, inboxFile(filepath.Join(t.TempDir(), "other.db"))))
	if out, err := g.reload(t, text); err != nil { // another inbox: what waits in the first one stays there
		t.Fatal(err, out)
	}
	app.saw(t, 0)
}

// TestInboxReload: what waits goes the way of the configuration that is active,
// and never that of one that failed to start.
func TestInboxReload(t *testing.T) {
	t.Parallel()
	down, wrong, right := newApplication(t), newApplication(t), newApplication(t)
	down.answers(status(http.StatusServiceUnavailable))
	path := filepath.Join(t.TempDir(), "inbox.db")
	site := func(app *application, more ...string) string {
		return openSite(append([]string{hook("/craneops", "craneops", app.addr, inboxFile(path))}, more...)...)
	}
	g := start(t, site(down), secrets()...)
	send(t, g, craneops(`{}`)).accepted(t)
	g.awaitInbox(t, 1)
	broken := route("/broken", verify("cryptr", secretVariable("cryptr"), "replay file "+filepath.Join(t.TempDir(), "no", "such", "folder.db")))
	if out, err := g.reload(t, site(wrong, broken)); err == nil {
		t.Fatal("a configuration started that cannot:", out)
	}
	seen := down.arrivals()
	down.awaitArrivals(t, seen+2) // the running one still attempts
	if out, err := g.reload(t, site(right)); err != nil {
		t.Fatal(err, out)
	}
	right.awaitArrivals(t, 1)
	g.awaitInbox(t, 0)
	wrong.saw(t, 0)
	right.saw(t, 1)
	send(t, g, craneops(`{}`)).duplicate(t)
}

// TestInboxOfTwoSites: each delivery goes to its own application, though both
// labels share a file.
func TestInboxOfTwoSites(t *testing.T) {
	t.Parallel()
	first, second := newApplication(t), newApplication(t)
	for _, app := range []*application{first, second} {
		app.answers(status(http.StatusServiceUnavailable))
	}
	option := inboxFile(filepath.Join(t.TempDir(), "inbox.db"))
	g := start(t, openSite(
		route("/first", verify("craneops", secretVariable("craneops"), "provider first", option), "reverse_proxy "+first.addr),
		route("/second", verify("craneops", secretVariable("craneops"), "provider second", option), "reverse_proxy "+second.addr),
	), secrets()...)
	send(t, g, craneops(`{}`).to("/first")).accepted(t)
	send(t, g, craneops(`{}`).to("/second")).accepted(t)
	g.awaitInbox(t, 2)
	if one := g.inbox(t, "?provider=second&state=waiting"); len(one) != 1 || one[0].Provider != "second" || one[0].Path != "/second" {
		t.Errorf("filtered: %+v", one)
	}
	first.answers(status(http.StatusOK))
	second.answers(status(http.StatusOK))
	g.awaitInbox(t, 0)
	for _, app := range []*application{first, second} {
		for _, r := range app.all() {
			if want := map[*application]string{first: "/first", second: "/second"}[app]; r.uri != want {
				t.Errorf("%s reached the application of %s", r.uri, want)
			}
		}
	}
}

// TestInboxAlways answers before the application has been asked.
func TestInboxAlways(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	free := closing(release)
	defer free()
	g, app := craneopsGateway(t, inboxFile(filepath.Join(t.TempDir(), "inbox.db"), "mode always"))
	app.answers(until(release, http.StatusOK))
	send(t, g, craneops(`{}`)).accepted(t)
	app.awaitArrivals(t, 1)
	g.awaitInbox(t, 1)
	free()
	g.awaitInbox(t, 0)
	app.saw(t, 1)
	if got := app.all()[0].header.Get("Webhook-Attempt"); got != "1" {
		t.Errorf("Webhook-Attempt %q", got)
	}
	if m := metricsText(t, g.admin); !strings.Contains(m, `caddy_verify_webhook_inbox_attempts_total{outcome="delivered",provider="craneops",scheme="craneops"} 1`) {
		t.Error("the metrics do not show the attempt")
	}
}

// TestInboxAfter: the sender is answered while the application works, over
// HTTP/1.1 and HTTP/2 alike, and what the application then answers counts.
func TestInboxAfter(t *testing.T) {
	t.Parallel()
	for name, sending := range map[string]func(*testing.T, *gateway, delivery) (answer, error){"HTTP/1.1": sendGo, "h2c": sendH2C} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			free := closing(release)
			defer free()
			app := newApplication(t)
			g := start(t, openSite(hook("/craneops", "craneops", app.addr, inboxFile(filepath.Join(t.TempDir(), "inbox.db"), "after 50ms"))),
				append(secrets(), "E2E_PROTOCOLS=h1 h2 h2c")...)
			app.answers(until(release, http.StatusOK))
			a, err := sending(t, g, craneops(`{}`))
			if err != nil || a.status != http.StatusOK || len(a.body) > 0 {
				t.Fatalf("%+v, %v", a, err)
			}
			if n := len(g.inbox(t, "")); n != 1 {
				t.Errorf("%d are kept", n)
			}
			free()
			g.awaitInbox(t, 0)
			app.saw(t, 1)
			send(t, g, craneops(`{}`)).duplicate(t)
		})
	}
}

// TestInboxDead: what the application refuses is dead, shown, and can be
// attempted again or dropped; sent again it is forwarded.
func TestInboxDead(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, inboxFile(filepath.Join(t.TempDir(), "inbox.db"), "mode always"))
	app.answers(status(http.StatusUnprocessableEntity))
	send(t, g, craneops(`{}`)).accepted(t)
	var dead []kept
	poll(t, "a dead delivery", func() bool { dead = g.inbox(t, "?state=dead"); return len(dead) == 1 })
	if dead[0].LastStatus != http.StatusUnprocessableEntity || dead[0].Attempts != 1 {
		t.Errorf("%+v", dead[0])
	}
	command := func(args ...string) (string, error) {
		out, err := g.command(append([]string{"webhook", "inbox"}, append(args, "--address", g.admin)...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := command("list", "--state", "dead"); err != nil || !strings.Contains(out, dead[0].ID) || !strings.Contains(out, "422") {
		t.Errorf("%s%v", out, err)
	}
	app.answers(status(http.StatusOK))
	if out, err := command("retry", "--provider", "craneops", "--id", dead[0].ID); err != nil {
		t.Error(out, err)
	}
	g.awaitInbox(t, 0)
	if out, err := command("drop", "--provider", "craneops", "--id", dead[0].ID); err == nil || !strings.Contains(out, "no such delivery") {
		t.Error(out, err)
	}
	app.answers(status(http.StatusUnprocessableEntity))
	send(t, g, craneops(`{"n":2}`)).accepted(t)
	poll(t, "a dead delivery", func() bool { return len(g.inbox(t, "?state=dead")) == 1 })
	if out, err := command("drop", "--all", "--state", "dead"); err != nil {
		t.Error(out, err)
	}
	g.awaitInbox(t, 0)
}

// TestForgetOfWhatWaits is refused, since the inbox would hand it over again.
func TestForgetOfWhatWaits(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, inboxFile(filepath.Join(t.TempDir(), "inbox.db")))
	app.answers(status(http.StatusServiceUnavailable))
	send(t, g, craneops(`{}`)).accepted(t)
	g.awaitInbox(t, 1)
	r, err := http.NewRequest(http.MethodDelete, "http://"+g.admin+"/verify_webhook/history/craneops/"+g.inbox(t, "")[0].ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusConflict {
		t.Errorf("status %d", res.StatusCode)
	}
}

// TestStopWaitsForAttempts: a clean stop repeats nothing.
func TestStopWaitsForAttempts(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	free := closing(release)
	defer free()
	g, app := craneopsGateway(t, inboxFile(filepath.Join(t.TempDir(), "inbox.db"), "mode always"))
	app.answers(until(release, http.StatusOK))
	send(t, g, craneops(`{}`)).accepted(t)
	app.awaitArrivals(t, 1)
	time.AfterFunc(300*time.Millisecond, free)
	g.stop(t)
	g = restartFileGateway(t, g)
	send(t, g, craneops(`{"n":2}`)).accepted(t)
	app.awaitArrivals(t, 2)
	g.awaitInbox(t, 0)
	app.saw(t, 2)
}
