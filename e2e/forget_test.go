package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestForget: an operator has one event delivered again, and no other.
func TestForget(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(hook("/craneops", "craneops", app.addr)), secrets()...)
	g.send(t, craneops(`{"one":1}`)).accepted(t)
	g.send(t, craneops(`{"two":2}`)).accepted(t)
	id := app.with("/craneops")[0].header.Get("Webhook-Id")

	forget := func(id string) (string, int) {
		return webhook(t, "", "forget", "--provider", "craneops", "--id", id, "--address", g.admin)
	}
	if said, code := forget(id); code != 0 || !strings.Contains(said, id) {
		t.Fatalf("exit status %d: %s", code, said)
	}
	if said, code := forget(id); code != 1 || !strings.Contains(said, "404") {
		t.Errorf("a second time: exit status %d: %s", code, said)
	}
	g.send(t, craneops(`{"two":2}`)).duplicate(t)
	g.send(t, craneops(`{"one":1}`)).accepted(t)
	g.send(t, craneops(`{"one":1}`)).duplicate(t)
	app.saw(t, 3)
}

// TestForgetBySignedID: where the provider signs an id, the entry is found by
// that id.
func TestForgetBySignedID(t *testing.T) {
	t.Parallel()
	const secret = "whsec_c3RhbmRhcmQgc3RhbmRhcmQgc3RhbmRhcmQg"
	app := newApplication(t)
	g := start(t, openSite(hook("/standard", "standard", app.addr)), "STANDARD_SECRET="+secret)
	deliver := func(body string) string {
		said, code := webhook(t, body, "send", "--scheme", "standard", "--secret", secret, "--id", "msg_1", "--to", "http://"+g.addr+"/standard", "-")
		if code != 0 {
			t.Fatalf("exit status %d: %s", code, said)
		}
		return said
	}
	deliver(`{"one":1}`)
	deliver(`{"one":"again"}`)
	app.saw(t, 1)
	if id := app.with("/standard")[0].header.Get("Webhook-Id"); id != "msg_1" {
		t.Errorf("Webhook-Id %q", id)
	}
	if said, code := webhook(t, "", "forget", "--provider", "standard", "--id", "msg_1", "--address", g.admin); code != 0 {
		t.Fatalf("exit status %d: %s", code, said)
	}
	deliver(`{"one":"again"}`)
	app.saw(t, 2)
}

// TestForgetAfterFailedReload: Caddy keeps the admin endpoint of a configuration
// that failed to load. The histories are still those of the one that runs.
func TestForgetAfterFailedReload(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(hook("/craneops", "craneops", app.addr)), secrets()...)
	g.send(t, craneops(`{}`)).accepted(t)
	id := app.all()[0].header.Get("Webhook-Id")
	nowhere := filepath.Join(t.TempDir(), "nowhere", "history.db")
	for _, site := range []string{
		openSite(hook("/craneops", "craneops", app.addr, replayFile(nowhere))),
		openSite(hook("/mceasy", "mceasy", app.addr, replayFile(nowhere))),
	} {
		if said, err := g.reload(t, site); err == nil {
			t.Fatalf("the reload succeeded:\n%s", said)
		}
		if said, code := webhook(t, "", "forget", "--provider", "craneops", "--id", id, "--address", g.admin); code != 0 {
			t.Errorf("exit status %d: %s", code, said)
		}
		g.sendAfterReload(t, craneops(`{}`)).accepted(t)
	}
}
