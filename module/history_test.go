package module

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/schemes"
)

// opener is a store whose Open is a function.
type opener struct {
	replay.Options
	open func() (replay.History, error)
}

func (o opener) Open(replay.OpenOptions) (replay.History, error) { return o.open() }

// TestHistoryOutlivesItsConfiguration checks that a request that began before
// its configuration ended keeps the history open, and that the last such
// request closes it.
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
	shared.acquire() // the body of the request is still arriving
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

// TestForgeryOpensNoHistory checks that only a verified delivery opens a
// history that fails, and that deliveries right after it share the outcome.
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

// TestFailingOpeningIsShared checks that of many deliveries that wait for a
// history that cannot be opened, only one tries to open it.
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

// TestForgetUnderAnotherConfiguration checks that the admin endpoint finds the
// history of the running configuration, even if a later one failed to load.
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

// TestKindsOfContentKeys checks that the common keys match those in existing
// histories, and that a body and an id with the same text have different keys.
func TestKindsOfContentKeys(t *testing.T) {
	keyOf := func(text string) (key replay.Key) {
		sum := sha256.Sum256([]byte(text))
		copy(key[:], sum[:])
		return key
	}
	none := &schemes.SignedHeaders{}
	scheme, _ := schemes.Get("standard")
	withIDs, without := newKeyer(scheme, false), newKeyer(schemes.Scheme{}, false)
	for _, c := range []struct {
		name string
		key  replay.Key
		want string
	}{
		{"id", withIDs.content("l", none, "evt_1", []byte("body")), "l\x00evt_1"},
		{"id, to forget it", idKey("l", "evt_1"), "l\x00evt_1"},
		{"body", without.content("l", none, "", []byte("evt_1")), "l\x00evt_1"},
		{"body and what is signed beside it", without.content("l", &schemes.SignedHeaders{Identity: []byte("6")}, "", []byte("body")), "l\x006\x00body"},
		{"body, with the send time", newKeyer(schemes.Scheme{}, true).content("l", &schemes.SignedHeaders{SentAtText: "1"}, "", []byte("body")), "l\x001\x00body"},
		{"body that has no id where others have one", withIDs.content("l", none, "", []byte("evt_1")), "#content\x00l\x00evt_1"},
	} {
		if c.key != keyOf(c.want) {
			t.Errorf("%s: not the key of %q", c.name, c.want)
		}
	}
}

// TestBodyLikeAnID checks that a delivery without an id is not taken for the
// delivery whose id equals its body.
func TestBodyLikeAnID(t *testing.T) {
	stripe := func(body string) http.Header {
		at := fmt.Sprint(testTime.Unix())
		return http.Header{"Stripe-Signature": {"t=" + at + ",v1=" + hex.EncodeToString(macUnder([]byte(testSecret), at, ".", body))}}
	}
	const event, like = `{"id":"evt_1","type":"paid"}`, "evt_1"
	for _, order := range [][]string{{event, like}, {like, event}} {
		g := newGateway(t, map[string]any{"scheme": "stripe"}, nil)
		for _, body := range order {
			expect(t, g.send(t, stripe(body), body), http.StatusNoContent, "")
			expect(t, g.send(t, stripe(body), body), http.StatusOK, "")
		}
		g.expectDelivered(t, order...)
	}
}

// TestConnectionOfAnOldConfiguration: a request that comes over one is told to come
// again, and to do so over another connection; its retries would end here too.
func TestConnectionOfAnOldConfiguration(t *testing.T) {
	for _, version := range []int{1, 2} {
		g := newGateway(t, nil, nil)
		if err := g.app.Cleanup(); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader(body))
		r.ProtoMajor = version
		maps.Copy(r.Header, craneops(body))
		w := httptest.NewRecorder()
		g.Config.Handler.ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || w.Body.String() != "rejected store_unavailable" || w.Header().Get("Connection") != "close" {
			t.Errorf("HTTP/%d: %d %q, %v", version, w.Code, w.Body, w.Header())
		}
		g.expectDelivered(t)
	}
}
