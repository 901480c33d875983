package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// inboxFile returns the inbox option, with retries that are short enough for a
// test.
func inboxFile(path string, options ...string) string {
	return "inbox file " + path + " {\nretry 50ms 200ms\n" + strings.Join(options, "\n") + "\n}"
}

// kept is a delivery as the admin endpoint lists it.
type kept struct {
	Provider, ID, State, Path string
	Attempts                  int
	LastStatus                int    `json:"last_status"`
	LastError                 string `json:"last_error"`
}

// inboxOf reads the list from the admin endpoint.
func inboxOf(t *testing.T, g *harness.Gateway, query string) []kept {
	t.Helper()
	res, err := http.Get("http://" + g.Admin + "/verify_webhook/inbox" + query)
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

func awaitInbox(t *testing.T, g *harness.Gateway, n int) {
	t.Helper()
	harness.Poll(t, fmt.Sprintf("an inbox with %d deliveries", n), func() bool { return len(inboxOf(t, g, "")) == n })
}

// TestInboxRescue: while the application is down no delivery is lost, whatever
// happens to the gateway meanwhile.
func TestInboxRescue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		then func(t *testing.T, g *harness.Gateway) *harness.Gateway
	}{
		{"nothing", func(_ *testing.T, g *harness.Gateway) *harness.Gateway { return g }},
		{"stopped and started", func(t *testing.T, g *harness.Gateway) *harness.Gateway { g.Stop(t); return g.Restart(t) }},
		{"killed and started", func(t *testing.T, g *harness.Gateway) *harness.Gateway { g.Kill(t); return g.Restart(t) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			app := harness.NewApplication(t)
			app.Answers(harness.Status(http.StatusBadGateway))
			path := filepath.Join(t.TempDir(), "inbox.db")
			g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, inboxFile(path))), harness.Secrets()...)
			small, large := harness.CraneOps(`{"small":1}`), harness.CraneOps(`{"large":"`+strings.Repeat("x", 300_000)+`"}`)
			for _, d := range []harness.Delivery{small, large} {
				g.Send(t, d.To("/craneops/a%2Fb?c=1")).Accepted(t)
			}
			awaitInbox(t, g, 2)
			g = c.then(t, g)
			for _, d := range []harness.Delivery{small, large} {
				g.Send(t, d).Duplicate(t)
			}
			before := len(app.All())
			var taken atomic.Int32 // an attempt that arrived before this may still get 502, and is not counted
			app.Answers(func(w http.ResponseWriter, _ *http.Request) {
				taken.Add(1)
				w.WriteHeader(http.StatusOK)
			})
			awaitInbox(t, g, 0)
			again := app.All()[before:]
			if n := taken.Load(); n != 2 {
				t.Fatalf("%d were handed over, want 2", n)
			}
			for _, r := range again {
				want := small
				if len(r.Body) > 1000 {
					want = large
				}
				if string(r.Body) != string(want.Body) || r.URI != "/craneops/a%2Fb?c=1" || r.Header.Get("X-Craneops-Signature") != want.Get("X-CraneOps-Signature") {
					t.Errorf("%s with %d bytes, %v", r.URI, len(r.Body), r.Header)
				}
				if r.Header.Get("Webhook-Attempt") == "" || r.Header.Get("Webhook-Received-At") == "" || r.Header.Get("Webhook-Verdict") != "accepted" {
					t.Errorf("headers %v", r.Header)
				}
			}
			for _, d := range []harness.Delivery{small, large} {
				if c.name == "nothing" { // the history in memory ends with the process
					g.Send(t, d).Duplicate(t)
				}
			}
		})
	}
}

// TestInboxUnreachableApplication: deliveries are kept while nothing listens at
// the application's address, and delivered when it listens.
func TestInboxUnreachableApplication(t *testing.T) {
	t.Parallel()
	addr := "127.0.0.1:" + harness.FreePort(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", addr, inboxFile(filepath.Join(t.TempDir(), "inbox.db")))), harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	harness.Poll(t, "attempts that reach nobody", func() bool {
		list := inboxOf(t, g, "")
		return len(list) == 1 && list[0].Attempts > 1 && list[0].LastStatus == 0 && list[0].State == "waiting" &&
			strings.HasSuffix(list[0].LastError, "connection refused")
	})
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	app := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	_ = app.Listener.Close()
	app.Listener = listener
	app.Start()
	defer app.Close()
	awaitInbox(t, g, 0)
	g.Send(t, harness.CraneOps(`{}`)).Duplicate(t)
}

// TestInboxReload: waiting deliveries use the active configuration, and never
// one that failed to start.
func TestInboxReload(t *testing.T) {
	t.Parallel()
	down, wrong, right := harness.NewApplication(t), harness.NewApplication(t), harness.NewApplication(t)
	down.Answers(harness.Status(http.StatusServiceUnavailable))
	path := filepath.Join(t.TempDir(), "inbox.db")
	site := func(app *harness.Application, more ...string) string {
		return harness.OpenSite(append([]string{harness.Hook("/craneops", "craneops", app.Addr, inboxFile(path))}, more...)...)
	}
	g := harness.Start(t, site(down), harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	awaitInbox(t, g, 1)
	broken := harness.Route("/broken", harness.Verify("cryptr", harness.SecretVariable("cryptr"), "replay file "+filepath.Join(t.TempDir(), "no", "such", "folder.db")))
	if out, err := g.Reload(t, site(wrong, broken)); err == nil {
		t.Fatal("a configuration started that cannot:", out)
	}
	seen := down.Arrivals()
	down.AwaitArrivals(t, seen+2) // the running one still attempts
	if out, err := g.Reload(t, site(right)); err != nil {
		t.Fatal(err, out)
	}
	right.AwaitArrivals(t, 1)
	awaitInbox(t, g, 0)
	wrong.Saw(t, 0)
	right.Saw(t, 1)
	g.Send(t, harness.CraneOps(`{}`)).Duplicate(t)
}

// TestInboxReloadDuringAttempt: an attempt that is interrupted by a reload
// fails, and the new configuration makes the next one at once.
func TestInboxReloadDuringAttempt(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	free := closing(release)
	defer free()
	old, young := harness.NewApplication(t), harness.NewApplication(t)
	old.Answers(harness.Until(release, http.StatusServiceUnavailable))
	path := filepath.Join(t.TempDir(), "inbox.db")
	site := func(app *harness.Application) string {
		return harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, inboxFile(path, "mode always")))
	}
	g := harness.Start(t, site(old), harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	old.AwaitArrivals(t, 1)
	g.MustReload(t, site(young))
	g.Send(t, harness.CraneOps(`{"n":2}`)).Accepted(t)
	young.AwaitArrivals(t, 1)
	awaitInbox(t, g, 1) // the new scheduler has run, and the first delivery still belongs to the old one
	free()
	young.AwaitArrivals(t, 2)
	awaitInbox(t, g, 0)
	old.Saw(t, 1)
	young.Saw(t, 2)
}

// TestInboxOfTwoSites: each delivery goes to its own application, though both
// labels share a file.
func TestInboxOfTwoSites(t *testing.T) {
	t.Parallel()
	first, second := harness.NewApplication(t), harness.NewApplication(t)
	for _, app := range []*harness.Application{first, second} {
		app.Answers(harness.Status(http.StatusServiceUnavailable))
	}
	option := inboxFile(filepath.Join(t.TempDir(), "inbox.db"))
	g := harness.Start(t, harness.OpenSite(
		harness.Route("/first", harness.Verify("craneops", harness.SecretVariable("craneops"), "provider first", option), "reverse_proxy "+first.Addr),
		harness.Route("/second", harness.Verify("craneops", harness.SecretVariable("craneops"), "provider second", option), "reverse_proxy "+second.Addr),
	), harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{}`).To("/first")).Accepted(t)
	g.Send(t, harness.CraneOps(`{}`).To("/second")).Accepted(t)
	awaitInbox(t, g, 2)
	if one := inboxOf(t, g, "?provider=second&state=waiting"); len(one) != 1 || one[0].Provider != "second" || one[0].Path != "/second" {
		t.Errorf("filtered: %+v", one)
	}
	first.Answers(harness.Status(http.StatusOK))
	second.Answers(harness.Status(http.StatusOK))
	awaitInbox(t, g, 0)
	for _, app := range []*harness.Application{first, second} {
		for _, r := range app.All() {
			if want := map[*harness.Application]string{first: "/first", second: "/second"}[app]; r.URI != want {
				t.Errorf("%s reached the application of %s", r.URI, want)
			}
		}
	}
}

// TestInboxAsksNoErrorRoute: if an attempt fails before verify_webhook, no
// error route runs.
func TestInboxAsksNoErrorRoute(t *testing.T) {
	t.Parallel()
	app, errorPage := harness.NewApplication(t), harness.NewApplication(t)
	app.Answers(harness.Status(http.StatusServiceUnavailable))
	hook := harness.Verify("craneops", "CRANEOPS_SECRET", inboxFile(filepath.Join(t.TempDir(), "inbox.db")))
	site := func(before string) string {
		return harness.BareSite(harness.Route("/craneops", before, hook, "reverse_proxy "+app.Addr),
			"handle_errors {\nreverse_proxy "+errorPage.Addr+"\n}")
	}
	g := harness.Start(t, site(""), harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{}`))
	awaitInbox(t, g, 1)
	g.MustReload(t, site("error 403"))
	app.AwaitArrivals(t, 1)
	before := inboxOf(t, g, "")[0].Attempts
	var waiting kept
	harness.Poll(t, "attempts that fail before the handler", func() bool {
		waiting = inboxOf(t, g, "")[0]
		return waiting.Attempts >= before+2
	})
	if waiting.State != "waiting" || !strings.Contains(waiting.LastError, "error with status 403") {
		t.Errorf("%+v", waiting)
	}
	errorPage.Saw(t, 0)
	if a := g.Send(t, harness.CraneOps(`{"n":2}`)); a.Status != http.StatusOK {
		t.Errorf("the error route answers others %d", a.Status)
	}
	errorPage.Saw(t, 1)
	app.Answers(harness.Status(http.StatusOK))
	g.MustReload(t, site(""))
	awaitInbox(t, g, 0)
}

// TestInboxAlways: the sender is answered before the application gets the
// delivery.
func TestInboxAlways(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	free := closing(release)
	defer free()
	g, app := craneopsGateway(t, inboxFile(filepath.Join(t.TempDir(), "inbox.db"), "mode always"))
	app.Answers(harness.Until(release, http.StatusOK))
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	app.AwaitArrivals(t, 1)
	awaitInbox(t, g, 1)
	free()
	awaitInbox(t, g, 0)
	app.Saw(t, 1)
	if got := app.All()[0].Header.Get("Webhook-Attempt"); got != "1" {
		t.Errorf("Webhook-Attempt %q", got)
	}
	harness.Poll(t, "the attempt in the metrics", func() bool { // it is counted after the entry is removed
		return strings.Contains(harness.MetricsText(t, g.Admin), `caddy_verify_webhook_inbox_attempts_total{outcome="delivered",provider="craneops",scheme="craneops"} 1`)
	})
}

// TestInboxAfter: the sender is answered while the application still works,
// over HTTP/1.1 and HTTP/2, and the application's later answer counts.
func TestInboxAfter(t *testing.T) {
	t.Parallel()
	for name, sending := range map[string]func(*testing.T, *harness.Gateway, harness.Delivery) (harness.Answer, error){"HTTP/1.1": harness.SendGo, "h2c": harness.SendH2C} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release := make(chan struct{})
			free := closing(release)
			defer free()
			app := harness.NewApplication(t)
			g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, inboxFile(filepath.Join(t.TempDir(), "inbox.db"), "after 50ms"))),
				append(harness.Secrets(), "E2E_PROTOCOLS=h1 h2 h2c")...)
			app.Answers(harness.Until(release, http.StatusOK))
			a, err := sending(t, g, harness.CraneOps(`{}`))
			if err != nil || a.Status != http.StatusOK || len(a.Body) > 0 {
				t.Fatalf("%+v, %v", a, err)
			}
			if n := len(inboxOf(t, g, "")); n != 1 {
				t.Errorf("%d are kept", n)
			}
			free()
			awaitInbox(t, g, 0)
			app.Saw(t, 1)
			g.Send(t, harness.CraneOps(`{}`)).Duplicate(t)
		})
	}
}

// TestInboxDead: a delivery that the application refuses is dead and listed,
// and can be attempted again or dropped. If the provider sends it again, it is
// forwarded.
func TestInboxDead(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, inboxFile(filepath.Join(t.TempDir(), "inbox.db"), "mode always"))
	app.Answers(harness.Status(http.StatusUnprocessableEntity))
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	var dead []kept
	harness.Poll(t, "a dead delivery", func() bool { dead = inboxOf(t, g, "?state=dead"); return len(dead) == 1 })
	if dead[0].LastStatus != http.StatusUnprocessableEntity || dead[0].Attempts != 1 {
		t.Errorf("%+v", dead[0])
	}
	command := func(args ...string) (string, error) {
		out, err := g.Command(append([]string{"webhook", "inbox"}, append(args, "--address", g.Admin)...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := command("list", "--state", "dead"); err != nil || !strings.Contains(out, dead[0].ID) || !strings.Contains(out, "422") {
		t.Errorf("%s%v", out, err)
	}
	app.Answers(harness.Status(http.StatusOK))
	if out, err := command("retry", "--provider", "craneops", "--id", dead[0].ID); err != nil {
		t.Error(out, err)
	}
	awaitInbox(t, g, 0)
	if out, err := command("drop", "--provider", "craneops", "--id", dead[0].ID); err == nil || !strings.Contains(out, "no such delivery") {
		t.Error(out, err)
	}
	app.Answers(harness.Status(http.StatusUnprocessableEntity))
	g.Send(t, harness.CraneOps(`{"n":2}`)).Accepted(t)
	harness.Poll(t, "a dead delivery", func() bool { return len(inboxOf(t, g, "?state=dead")) == 1 })
	if out, err := command("drop", "--all", "--state", "dead"); err != nil {
		t.Error(out, err)
	}
	awaitInbox(t, g, 0)
}

// TestForgetOfWhatWaits: a waiting delivery cannot be forgotten, since the
// inbox would deliver it again.
func TestForgetOfWhatWaits(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, inboxFile(filepath.Join(t.TempDir(), "inbox.db")))
	app.Answers(harness.Status(http.StatusServiceUnavailable))
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	awaitInbox(t, g, 1)
	r, err := http.NewRequest(http.MethodDelete, "http://"+g.Admin+"/verify_webhook/history/craneops/"+inboxOf(t, g, "")[0].ID, nil)
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
	app.Answers(harness.Until(release, http.StatusOK))
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	app.AwaitArrivals(t, 1)
	time.AfterFunc(300*time.Millisecond, free)
	g.Stop(t)
	g = g.Restart(t)
	g.Send(t, harness.CraneOps(`{"n":2}`)).Accepted(t)
	app.AwaitArrivals(t, 2)
	awaitInbox(t, g, 0)
	app.Saw(t, 2)
}
