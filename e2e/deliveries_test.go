package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// seen holds the fields of a listed delivery that the tests check.
type seen struct {
	Number                                   uint64
	Verdict, Reason, ID, Event, Client, Path string
	Status, Application                      int
	Captured                                 bool
}

// listed returns the deliveries from the command, the newest last.
func listed(t *testing.T, g *harness.Gateway, filters ...string) (all []seen) {
	t.Helper()
	said, code := webhook(t, "", append([]string{"list", "--json", "--address", g.Admin}, filters...)...)
	if code != 0 {
		t.Fatalf("list: exit status %d: %s", code, said)
	}
	for line := range strings.Lines(said) {
		var d seen
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, d)
	}
	return all
}

// TestSeeDeliveries: a rejection in the list leads to its explanation, and the
// same delivery is saved and verified.
func TestSeeDeliveries(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	site := harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "capture"))
	g := harness.Start(t, site, harness.Secrets()...)
	const body = `{"event":"booking.created"}`
	sent := harness.CraneOps(body)
	g.Send(t, sent).Accepted(t)
	const control = "\u202e"
	changed := sent.Saying([]byte(body+"\n")).Plus("X-Hostile", control)
	g.Send(t, changed).Rejected(t, "signature_mismatch")

	all := listed(t, g)
	if len(all) != 2 || all[0].Verdict != "accepted" || all[0].Application != all[0].Status || all[0].Captured ||
		all[1].Reason != "signature_mismatch" || all[1].Status != 401 || !all[1].Captured || all[1].Path != "/craneops" {
		t.Fatalf("listed %+v", all)
	}
	said, code := webhook(t, "", "list", "--verdict", "rejected", "--address", g.Admin)
	if code != 0 || !strings.Contains(said, "none of the secrets produces this signature") || strings.Count(said, "\n") != 1 {
		t.Errorf("exit status %d: %s", code, said)
	}
	if status, text := g.Ask(t, http.MethodGet, "/verify_webhook/deliveries", ""); status != 200 || strings.Contains(text, sent.Get("X-CraneOps-Signature")) {
		t.Errorf("%d %s", status, text)
	}

	number := jsonNumber(all[1].Number)
	dir := filepath.Join(t.TempDir(), "saved")
	said, code = webhook(t, "", "show", number, "--save", dir, "--address", g.Admin)
	if code != 0 || !strings.Contains(said, "line end") || strings.Contains(said, control) {
		t.Errorf("exit status %d: %s", code, said)
	}
	if saved, err := os.ReadFile(filepath.Join(dir, "body.json")); err != nil || string(saved) != body+"\n" {
		t.Errorf("saved %q: %v", saved, err)
	}
	said, code = webhook(t, "", "verify", "--scheme", "craneops", "--secret", "env:CRANEOPS_SECRET", "--headers", filepath.Join(dir, "headers.txt"), filepath.Join(dir, "body.json"))
	if code != 1 || !strings.Contains(said, "signature_mismatch") {
		t.Errorf("exit status %d: %s", code, said)
	}

	// A reload that keeps the label and the option keeps the captures. One that
	// fails removes nothing. One without the option removes them.
	g.MustReload(t, site+"\nheader X-More yes")
	if said, err := g.Reload(t, "no_such_directive"); err == nil {
		t.Errorf("loaded: %s", said)
	}
	if all = listed(t, g, "--verdict", "rejected"); len(all) != 1 || !all[0].Captured {
		t.Errorf("after reloads: %+v", all)
	}
	if status, _ := g.Ask(t, http.MethodDelete, "/verify_webhook/deliveries/"+number, ""); status != http.StatusNoContent {
		t.Errorf("erase: %d", status)
	}
	if all = listed(t, g, "--verdict", "rejected"); len(all) != 1 || all[0].Captured {
		t.Errorf("after it was erased: %+v", all)
	}
	if strings.Contains(g.Log.String(), "booking.created\\\"") {
		t.Error("the payload is logged")
	}
}

func jsonNumber(n uint64) string {
	text, _ := json.Marshal(n)
	return string(text)
}

// TestTail: the command prints deliveries as they arrive, across a reload, and
// delays neither the reload nor the stop.
func TestTail(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	site := harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr))
	g := harness.Start(t, site, harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{"n":0}`)).Accepted(t)

	tail := exec.CommandContext(t.Context(), g.Command().Path, "webhook", "tail", "--since", "1h", "--json", "--address", g.Admin)
	tail.Env = harness.BareEnv(t.TempDir())
	out, err := tail.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	last := uint64(0)
	next := func() {
		t.Helper()
		var d seen
		if !lines.Scan() || json.Unmarshal(lines.Bytes(), &d) != nil || d.Verdict != "accepted" || last > 0 && d.Number != last+1 {
			t.Fatalf("shown %q after %d", lines.Text(), last)
		}
		last = d.Number
	}
	next()
	g.Send(t, harness.CraneOps(`{"n":1}`)).Accepted(t)
	next()
	g.MustReload(t, site+"\nheader X-More yes")
	for _, body := range []string{`{"n":2}`, `{"n":3}`} {
		g.Send(t, harness.CraneOps(body)).Accepted(t)
		next()
	}
	g.Stop(t) // does not wait for the command
	if err := tail.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := tail.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
}
