package module

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/replay"
)

// opener is a store whose Open is a function.
type opener struct {
	replay.Options
	open func() (replay.History, error)
}

func (o opener) Open(replay.OpenOptions) (replay.History, error) { return o.open() }

// TestHistoryOutlivesItsConfiguration: a request that began before its
// configuration ended keeps the history open, and the last one closes it.
func TestHistoryOutlivesItsConfiguration(t *testing.T) {
	c := &counts{}
	counted[t.Name()] = c
	app, err := loadedApp(t, &countingStore{Name: t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	shared := app.histories["label"]
	shared.acquire() // its body is still coming
	shared.acquire()
	if err := app.Cleanup(); err != nil {
		t.Fatal(err)
	}
	shared.release()
	if history, err := shared.get(); history == nil || err != nil {
		t.Errorf("after the end of the configuration: %v %v", history, err)
	}
	if *c != (counts{opened: 1}) {
		t.Errorf("before the last request ended: %+v", *c)
	}
	shared.release()
	if *c != (counts{opened: 1, closed: 1}) {
		t.Errorf("after the last request: %+v", *c)
	}
	if historiesByLabel.newest("label") == shared {
		t.Error("a closed history is still listed")
	}
}

// TestForgeryOpensNoHistory: only a verified delivery has a failing history
// opened, and those that come right after it share the outcome.
func TestForgeryOpensNoHistory(t *testing.T) {
	g := newGateway(t, map[string]any{"replay": map[string]any{"store": "test_broken", "Opening": true}}, nil)
	now := testTime
	g.handler.history.now = func() time.Time { return now }
	attempts := func(want float64) {
		t.Helper()
		if got := g.metrics(t)[`replay_errors_total{store="test_broken"}`]; got != want {
			t.Errorf("%v attempts to open the history, want %v", got, want)
		}
	}
	for range 3 {
		expect(t, g.send(t, craneops("forged"), body), http.StatusUnauthorized, "rejected signature_mismatch")
	}
	attempts(0)
	for range 3 {
		expect(t, g.send(t, craneops(body), body), http.StatusServiceUnavailable, "rejected store_unavailable")
	}
	attempts(1)
	now = now.Add(retryOpening)
	expect(t, g.send(t, craneops(body), body), http.StatusServiceUnavailable, "rejected store_unavailable")
	attempts(2)
	g.expectDelivered(t)
}

// TestFailingOpeningIsShared: of many deliveries that wait for a history that
// cannot be opened, one tries it.
func TestFailingOpeningIsShared(t *testing.T) {
	const many = 16
	var attempts atomic.Int32
	fail := make(chan struct{})
	shared := &sharedHistory{
		now: func() time.Time { return testTime },
		registration: registration{label: t.Name(), store: opener{open: func() (replay.History, error) {
			attempts.Add(1)
			<-fail
			return nil, errStore
		}}},
	}
	var group sync.WaitGroup
	for range many {
		shared.acquire()
		group.Go(func() {
			defer shared.release()
			if _, err := shared.get(); !errors.Is(err, errStore) {
				t.Errorf("get: %v", err)
			}
		})
	}
	close(fail)
	group.Wait()
	if n := attempts.Load(); n != 1 {
		t.Errorf("%d attempts to open the history", n)
	}
	// The start of the configuration does not rely on an earlier attempt.
	if err := shared.open(); !errors.Is(err, errStore) || attempts.Load() != 2 {
		t.Errorf("open: %v, %d attempts", err, attempts.Load())
	}
}

// TestForgetUnderAnotherConfiguration: the admin endpoint finds the history of
// the configuration that runs, although one that failed to load came after it.
func TestForgetUnderAnotherConfiguration(t *testing.T) {
	g := newGateway(t, map[string]any{"provider": "forget-other"}, nil)
	expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	failed, err := loadedApp(t, &countingStore{Name: t.Name(), Fails: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := failed.Start(); !errors.Is(err, errStore) {
		t.Fatal(err)
	}
	if err := failed.Cleanup(); err != nil {
		t.Fatal(err)
	}
	path := "/verify_webhook/history/forget-other/" + g.delivered()[0].header.Get("Webhook-Id")
	if status := g.forgetting(t, "DELETE", path); status != http.StatusNoContent {
		t.Errorf("status %d", status)
	}
	expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	g.expectDelivered(t, body, body)
}
