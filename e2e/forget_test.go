package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestForget: an operator allows one event to be delivered again, and no other.
func TestForget(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr)), harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{"one":1}`)).Accepted(t)
	g.Send(t, harness.CraneOps(`{"two":2}`)).Accepted(t)
	id := app.With("/craneops")[0].Header.Get("Webhook-Id")

	forget := func(id string) (string, int) {
		return webhook(t, "", "forget", "--provider", "craneops", "--id", id, "--address", g.Admin)
	}
	if said, code := forget(id); code != 0 || !strings.Contains(said, id) {
		t.Fatalf("exit status %d: %s", code, said)
	}
	if said, code := forget(id); code != 1 || !strings.Contains(said, "404") {
		t.Errorf("a second time: exit status %d: %s", code, said)
	}
	g.Send(t, harness.CraneOps(`{"two":2}`)).Duplicate(t)
	g.Send(t, harness.CraneOps(`{"one":1}`)).Accepted(t)
	g.Send(t, harness.CraneOps(`{"one":1}`)).Duplicate(t)
	app.Saw(t, 3)
}

// TestForgetBySignedID: if the provider signs an id, the entry is found by it.
func TestForgetBySignedID(t *testing.T) {
	t.Parallel()
	const secret = "whsec_c3RhbmRhcmQgc3RhbmRhcmQgc3RhbmRhcmQg"
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/standard", "standard", app.Addr)), "STANDARD_SECRET="+secret)
	deliver := func(body string) string {
		said, code := webhook(t, body, "send", "--scheme", "standard", "--secret", secret, "--id", "msg_1", "--to", "http://"+g.Addr+"/standard", "-")
		if code != 0 {
			t.Fatalf("exit status %d: %s", code, said)
		}
		return said
	}
	deliver(`{"one":1}`)
	deliver(`{"one":"again"}`)
	app.Saw(t, 1)
	if id := app.With("/standard")[0].Header.Get("Webhook-Id"); id != "msg_1" {
		t.Errorf("Webhook-Id %q", id)
	}
	if said, code := webhook(t, "", "forget", "--provider", "standard", "--id", "msg_1", "--address", g.Admin); code != 0 {
		t.Fatalf("exit status %d: %s", code, said)
	}
	deliver(`{"one":"again"}`)
	app.Saw(t, 2)
}

// TestForgetAfterFailedReload: Caddy keeps the admin endpoint of a configuration
// that failed to load. The histories are still those of the running one.
func TestForgetAfterFailedReload(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr)), harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	id := app.All()[0].Header.Get("Webhook-Id")
	nowhere := filepath.Join(t.TempDir(), "nowhere", "history.db")
	for _, site := range []string{
		harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, replayFile(nowhere))),
		harness.OpenSite(harness.Hook("/mceasy", "mceasy", app.Addr, replayFile(nowhere))),
	} {
		if said, err := g.Reload(t, site); err == nil {
			t.Fatalf("the reload succeeded:\n%s", said)
		}
		if said, code := webhook(t, "", "forget", "--provider", "craneops", "--id", id, "--address", g.Admin); code != 0 {
			t.Errorf("exit status %d: %s", code, said)
		}
		g.SendAfterReload(t, harness.CraneOps(`{}`)).Accepted(t)
	}
}
