package e2e

import (
	"strings"
	"testing"
)

// TestForget: an operator has one event delivered again, and no other.
func TestForget(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(hook("/craneops", "craneops", app.addr)), secrets()...)
	send(t, g, craneops(`{"one":1}`)).accepted(t)
	send(t, g, craneops(`{"two":2}`)).accepted(t)
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
	send(t, g, craneops(`{"two":2}`)).duplicate(t)
	send(t, g, craneops(`{"one":1}`)).accepted(t)
	send(t, g, craneops(`{"one":1}`)).duplicate(t)
	app.saw(t, 3)
}
