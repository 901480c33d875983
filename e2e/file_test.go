package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

func replayFile(path string) string { return "replay file " + path }

// TestFileRestart: a delivery from before a restart is a duplicate after it,
// whether the process was stopped or killed. One that was still being handled
// is not.
func TestFileRestart(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	history := replayFile(filepath.Join(t.TempDir(), "history.db"))
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/craneops", "craneops", app.Addr, history),
		harness.Hook("/mceasy", "mceasy", app.Addr, history),
	), harness.Secrets()...)
	event := harness.McEasy(`{"restart":1}`, time.Now(), "6", "48213")
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	g.Send(t, event).Accepted(t)

	remembers := func() {
		t.Helper()
		g.Send(t, harness.CraneOps(`{}`)).Duplicate(t)
		g.Send(t, harness.CraneOps(`{}`).With("X-CraneOps-Event", "booking.cancelled")).Rejected(t, "conflict")
		g.Send(t, event).Duplicate(t)
		g.Send(t, harness.McEasy(`{"restart":2}`, time.Now(), "6", "48213")).Rejected(t, "conflict")
	}
	remembers()
	g.Stop(t)
	g = g.Restart(t)
	remembers()

	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.Answers(harness.Until(release, http.StatusOK))
	cut := make(chan error, 1)
	go func() {
		_, err := harness.SendGo(t, g, harness.CraneOps(`{"in flight":1}`))
		cut <- err
	}()
	app.AwaitArrivals(t, 3)
	g.Kill(t)
	if err := <-cut; err == nil {
		t.Error("a killed gateway answered")
	}
	free()
	app.Answers(harness.Status(http.StatusOK))
	g = g.Restart(t)
	remembers()
	g.Send(t, harness.CraneOps(`{"in flight":1}`)).Accepted(t)
	app.Saw(t, 4)
}

// TestFileReloadUnderLoad: the file stays open through reloads, and every
// delivery reaches the application once. In between, no configuration uses it.
func TestFileReloadUnderLoad(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	path := filepath.Join(t.TempDir(), "history.db")
	site := harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, replayFile(path)))
	g := harness.Start(t, site, harness.Secrets()...)
	var done atomic.Bool
	var sent atomic.Int64
	var senders sync.WaitGroup
	for range 3 {
		senders.Go(func() {
			for !done.Load() {
				deliverOnce(t, g, harness.CraneOps(fmt.Sprintf(`{"n":%d}`, sent.Add(1))))
			}
		})
	}
	for n := range 4 {
		if said, err := g.Reload(t, changed(site, fmt.Sprint("load-", n))); err != nil {
			t.Errorf("reloading: %v\n%s", err, said)
		}
	}
	done.Store(true)
	senders.Wait()
	times := map[string]int{}
	for _, r := range app.All() {
		times[string(r.Body)]++
	}
	for n := range sent.Load() {
		if body := fmt.Sprintf(`{"n":%d}`, n+1); times[body] != 1 {
			t.Errorf("%s reached the application %d times", body, times[body])
		}
	}
	g.MustReload(t, harness.OpenSite("respond /elsewhere 204"))
	g.MustReload(t, site)
	g.SendAfterReload(t, harness.CraneOps(`{"n":1}`)).Duplicate(t)
}

// TestFileInUse: a second process does not start, says why, and does not
// disturb the first. Validating a configuration opens no file.
func TestFileInUse(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "history.db")
	site := harness.Hook("/craneops", "craneops", app.Addr, replayFile(path))
	g := harness.Start(t, harness.OpenSite(site), harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)

	second := misconfigured{site: site, env: harness.Secrets(), saying: []string{path, "another process", "replay redis"}}
	said, err := second.execute(t, "run")
	if err == nil {
		t.Error("a second process starts")
	}
	second.check(t, "run", said)
	if said, err := second.execute(t, "validate"); err != nil {
		t.Errorf("validate: %v\n%s", err, said)
	}
	g.Send(t, harness.CraneOps(`{}`)).Duplicate(t)

	fresh := filepath.Join(folder, "fresh.db")
	validated := misconfigured{site: harness.Hook("/craneops", "craneops", app.Addr, replayFile(fresh)), env: harness.Secrets()}
	if said, err := validated.execute(t, "validate"); err != nil {
		t.Errorf("validate: %v\n%s", err, said)
	}
	if _, err := os.Stat(fresh); !os.IsNotExist(err) {
		t.Errorf("validate has made the file: %v", err)
	}
}

// TestFileStartUpErrors: an unusable file is an error at the start and at a
// reload, and the running configuration continues.
func TestFileStartUpErrors(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	garbage := filepath.Join(folder, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("garbage\n", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr)), harness.Secrets()...)
	for path, word := range map[string]string{
		garbage: "not a replay file",
		filepath.Join(folder, "nowhere", "history.db"): "folder",
		folder: "not a file",
	} {
		site := harness.Hook("/craneops", "craneops", app.Addr, replayFile(path))
		m := misconfigured{site: site, env: harness.Secrets(), saying: []string{path, word, "craneops"}}
		said, err := m.execute(t, "run")
		if err == nil {
			t.Errorf("%s: starts", path)
		}
		m.check(t, "run", said)
		if said, err := g.Reload(t, harness.OpenSite(site)); err == nil || !strings.Contains(said, word) {
			t.Errorf("%s: reload: %v\n%s", path, err, said)
		}
	}
	g.SendAfterReload(t, harness.CraneOps(`{}`)).Accepted(t)
}
