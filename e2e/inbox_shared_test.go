package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestInboxKeepsWhatNoLabelHas: a reload takes away the label of some deliveries, or
// the route that they came by. They wait meanwhile, an operator sees them, others are
// delivered, and these are too once the label or the route is back.
func TestInboxKeepsWhatNoLabelHas(t *testing.T) {
	t.Parallel()
	stays, goes, moves := harness.NewApplication(t), harness.NewApplication(t), harness.NewApplication(t)
	apps := []*harness.Application{stays, goes, moves}
	option := inboxFile(filepath.Join(t.TempDir(), "inbox.db"))
	label := func(path, name string, app *harness.Application) string {
		return harness.Route(path, harness.Verify("craneops", harness.SecretVariable("craneops"), "provider "+name, option), "reverse_proxy "+app.Addr)
	}
	whole := harness.OpenSite(label("/stays", "stays", stays), label("/goes", "goes", goes), label("/moves", "moves", moves))
	g := harness.Start(t, whole, harness.Secrets()...)
	for _, app := range apps {
		app.Answers(harness.Status(http.StatusServiceUnavailable))
	}
	for _, path := range []string{"/stays", "/goes", "/moves"} {
		g.Send(t, harness.CraneOps(`{}`).To(path)).Accepted(t)
	}
	awaitInbox(t, g, 3)

	g.MustReload(t, harness.OpenSite(label("/stays", "stays", stays), label("/elsewhere", "moves", moves)))
	g.AwaitLines(t, "a warning that names the label", 1, func(line string) bool {
		return strings.Contains(line, "labels that no handler has") && strings.Contains(line, `["goes (craneops)"]`)
	})
	var seen [3]int
	harness.Poll(t, "the attempts of the old configuration to end", func() bool {
		before := seen
		seen = [3]int{stays.Arrivals(), goes.Arrivals(), moves.Arrivals()}
		list := inboxOf(t, g, "?provider=moves")
		return before[1] == seen[1] && before[2] == seen[2] && before[0] < seen[0] &&
			len(list) == 1 && strings.Contains(list[0].LastError, "did not come to the handler of its label")
	})
	for _, app := range apps {
		app.Answers(harness.Status(http.StatusOK))
	}
	awaitInbox(t, g, 2)
	for _, name := range []string{"goes", "moves"} {
		if list := inboxOf(t, g, "?provider="+name+"&state=waiting"); len(list) != 1 || list[0].Path != "/"+name {
			t.Errorf("what waits of %s: %+v", name, list)
		}
		if text := harness.MetricsText(t, g.Admin); !strings.Contains(text, `caddy_verify_webhook_inbox_entries{provider="`+name+`",scheme="craneops",state="waiting"} 1`) {
			t.Errorf("the metrics do not count what waits of %s", name)
		}
	}
	if goes.Arrivals() != seen[1] || moves.Arrivals() != seen[2] {
		t.Error("an application was asked for a delivery that the configuration does not lead to it")
	}

	g.MustReload(t, whole)
	awaitInbox(t, g, 0)
	if goes.Arrivals() != seen[1]+1 || moves.Arrivals() != seen[2]+1 {
		t.Errorf("%d and %d attempts after the reload, want one each", goes.Arrivals()-seen[1], moves.Arrivals()-seen[2])
	}
	for _, path := range []string{"/stays", "/goes", "/moves"} {
		g.Send(t, harness.CraneOps(`{}`).To(path)).Duplicate(t)
	}
}

// TestInboxBesideAnotherGateway: a delivery that another gateway is handling, as the
// shared history knows, is not kept here, and what waits here is not attempted until
// the other one has done.
func TestInboxBesideAnotherGateway(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	there, here := harness.NewApplication(t), harness.NewApplication(t)
	history := "replay redis {env.REDIS_URL_SECRET} {\nttl 73h\n" + busy + "\n}"
	other := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", there.Addr, "provider craneops", history)), redisEnv(server.url())...)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", here.Addr, "provider craneops", history,
		inboxFile(filepath.Join(t.TempDir(), "inbox.db")))), redisEnv(server.url())...)
	release := make(chan struct{})
	free := closing(release)
	defer free()
	there.Answers(harness.Until(release, http.StatusNotFound))
	handled := make(chan harness.Answer, 2)
	send := func(d harness.Delivery) {
		asked := there.Arrivals()
		go func() {
			a := other.Send(t, d)
			for a.Reason() == "in_flight" { // an attempt here has just begun
				a = other.Send(t, d)
			}
			handled <- a
		}()
		there.AwaitArrivals(t, asked+1)
	}

	first, second := harness.CraneOps(`{"n":1}`), harness.CraneOps(`{"n":2}`)
	send(first)
	g.Send(t, first).Rejected(t, "in_flight")
	awaitInbox(t, g, 0)
	here.Saw(t, 0)

	here.Answers(harness.Status(http.StatusServiceUnavailable))
	g.Send(t, second).Accepted(t)
	awaitInbox(t, g, 1)
	server.mustAsk(t, "FLUSHALL") // as a Redis that loses what it had
	send(second)
	id := inboxOf(t, g, "")[0].ID
	harness.Poll(t, "the attempt that had begun to end", func() bool {
		status, _ := g.Ask(t, http.MethodPost, "/verify_webhook/inbox/craneops/"+id+"/retry", "")
		return status == http.StatusNoContent // it is due now, and 409 while it is attempted
	})
	attempts := here.Arrivals()
	here.Answers(harness.Status(http.StatusOK))
	g.Send(t, second).Duplicate(t) // it waits, whatever the history says
	if got := here.Arrivals(); got != attempts {
		t.Errorf("%d attempts while the other gateway was handling it", got-attempts)
	}
	free()
	for range 2 {
		if a := <-handled; a.Status != http.StatusNotFound {
			t.Errorf("the other gateway answers %d", a.Status)
		}
	}
	awaitInbox(t, g, 0)
	if got := here.Arrivals(); got != attempts+1 {
		t.Errorf("%d attempts when the other gateway had done, want 1", got-attempts)
	}
	other.Send(t, second).Duplicate(t)
}
