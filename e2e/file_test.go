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
)

func replayFile(path string) string { return "replay file " + path }

// TestFileRestart: what was delivered before a restart is a duplicate after it,
// whether the process was stopped or killed; what was being handled is not.
func TestFileRestart(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	history := replayFile(filepath.Join(t.TempDir(), "history.db"))
	g := start(t, openSite(
		hook("/craneops", "craneops", app.addr, history),
		hook("/mceasy", "mceasy", app.addr, history),
	), secrets()...)
	event := mceasy(`{"restart":1}`, time.Now(), "6", "48213")
	g.send(t, craneops(`{}`)).accepted(t)
	g.send(t, event).accepted(t)

	remembers := func() {
		t.Helper()
		g.send(t, craneops(`{}`)).duplicate(t)
		g.send(t, craneops(`{}`).with("X-CraneOps-Event", "booking.cancelled")).rejected(t, "conflict")
		g.send(t, event).duplicate(t)
		g.send(t, mceasy(`{"restart":2}`, time.Now(), "6", "48213")).rejected(t, "conflict")
	}
	remembers()
	g.stop(t)
	g = g.restart(t)
	remembers()

	release := make(chan struct{})
	free := closing(release)
	defer free()
	app.answers(until(release, http.StatusOK))
	cut := make(chan error, 1)
	go func() {
		_, err := sendGo(t, g, craneops(`{"in flight":1}`))
		cut <- err
	}()
	app.awaitArrivals(t, 3)
	g.kill(t)
	if err := <-cut; err == nil {
		t.Error("a killed gateway answered")
	}
	free()
	app.answers(status(http.StatusOK))
	g = g.restart(t)
	remembers()
	g.send(t, craneops(`{"in flight":1}`)).accepted(t)
	app.saw(t, 4)
}

// TestFileReloadUnderLoad: the file stays open through reloads, and every
// delivery reaches the application once. In between, no configuration uses it.
func TestFileReloadUnderLoad(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	path := filepath.Join(t.TempDir(), "history.db")
	site := openSite(hook("/craneops", "craneops", app.addr, replayFile(path)))
	g := start(t, site, secrets()...)
	var done atomic.Bool
	var sent atomic.Int64
	var senders sync.WaitGroup
	for range 3 {
		senders.Go(func() {
			for !done.Load() {
				deliverOnce(t, g, craneops(fmt.Sprintf(`{"n":%d}`, sent.Add(1))))
			}
		})
	}
	for n := range 4 {
		if said, err := g.reload(t, changed(site, fmt.Sprint("load-", n))); err != nil {
			t.Errorf("reloading: %v\n%s", err, said)
		}
	}
	done.Store(true)
	senders.Wait()
	times := map[string]int{}
	for _, r := range app.all() {
		times[string(r.body)]++
	}
	for n := range sent.Load() {
		if body := fmt.Sprintf(`{"n":%d}`, n+1); times[body] != 1 {
			t.Errorf("%s reached the application %d times", body, times[body])
		}
	}
	g.mustReload(t, openSite("respond /elsewhere 204"))
	g.mustReload(t, site)
	g.sendAfterReload(t, craneops(`{"n":1}`)).duplicate(t)
}

// TestFileInUse: a second process does not start, says why, and disturbs
// nothing; validating a configuration opens nothing.
func TestFileInUse(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "history.db")
	site := hook("/craneops", "craneops", app.addr, replayFile(path))
	g := start(t, openSite(site), secrets()...)
	g.send(t, craneops(`{}`)).accepted(t)

	second := misconfigured{site: site, env: secrets(), saying: []string{path, "another process", "replay redis"}}
	said, err := second.execute(t, "run")
	if err == nil {
		t.Error("a second process starts")
	}
	second.check(t, "run", said)
	if said, err := second.execute(t, "validate"); err != nil {
		t.Errorf("validate: %v\n%s", err, said)
	}
	g.send(t, craneops(`{}`)).duplicate(t)

	fresh := filepath.Join(folder, "fresh.db")
	validated := misconfigured{site: hook("/craneops", "craneops", app.addr, replayFile(fresh)), env: secrets()}
	if said, err := validated.execute(t, "validate"); err != nil {
		t.Errorf("validate: %v\n%s", err, said)
	}
	if _, err := os.Stat(fresh); !os.IsNotExist(err) {
		t.Errorf("validate has made the file: %v", err)
	}
}

// TestFileStartUpErrors: a file that cannot be used is an error at the start
// and at a reload, and the running configuration goes on.
func TestFileStartUpErrors(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	garbage := filepath.Join(folder, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("garbage\n", 10_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	app := newApplication(t)
	g := start(t, openSite(hook("/craneops", "craneops", app.addr)), secrets()...)
	for path, word := range map[string]string{
		garbage: "not a replay file",
		filepath.Join(folder, "nowhere", "history.db"): "folder",
		folder: "not a file",
	} {
		site := hook("/craneops", "craneops", app.addr, replayFile(path))
		m := misconfigured{site: site, env: secrets(), saying: []string{path, word, "craneops"}}
		said, err := m.execute(t, "run")
		if err == nil {
			t.Errorf("%s: starts", path)
		}
		m.check(t, "run", said)
		if said, err := g.reload(t, openSite(site)); err == nil || !strings.Contains(said, word) {
			t.Errorf("%s: reload: %v\n%s", path, err, said)
		}
	}
	g.sendAfterReload(t, craneops(`{}`)).accepted(t)
}
