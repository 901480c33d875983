package module

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

// listener is a handler of Caddy's events.
type listener func(caddy.Event)

func (l listener) Handle(_ context.Context, e caddy.Event) error {
	l(e)
	return caddy.ErrEventAborted // has no effect
}

// listen subscribes to all events with a name; an empty name stands for all
// names.
func (g *gateway) listen(t *testing.T, name string, l listener) {
	t.Helper()
	app, err := g.ctx.App("events")
	if err != nil {
		t.Fatal(err)
	}
	if err := app.(*caddyevents.App).On(name, l); err != nil {
		t.Fatal(err)
	}
}

func TestEvents(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "cryptr", "provider": "label"}, func(w http.ResponseWriter, r *http.Request) error {
		if r.Header.Get("Webhook-Event") == "" {
			return errors.New("down")
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	events := make(chan caddy.Event, 1)
	g.listen(t, "", func(e caddy.Event) {
		if strings.HasPrefix(e.Name(), "webhook_") {
			events <- e
		}
	})
	const text, secondText = `{"code":"a.b","payload":"canary"}`, `{"payload":"canary"}`
	at := testTime.Add(-2 * time.Second)
	for _, c := range []struct {
		name   string
		header http.Header
		body   string
		want   string
		data   map[string]any // id is checked separately
	}{
		{"accepted", cryptr(at, text), text, "webhook_accepted", map[string]any{"event": "a.b", "key": 1, "age": int64(2)}},
		{"duplicate", cryptr(at, text), text, "webhook_duplicate", map[string]any{"event": "a.b", "key": 1, "age": int64(2), "reason": "duplicate"}},
		{"forged", cryptr(at, "other"), text, "webhook_rejected", map[string]any{"reason": "signature_mismatch"}},
		{"stale", cryptr(testTime.Add(-time.Hour), text), text, "webhook_rejected", map[string]any{"event": "a.b", "key": 1, "age": int64(3600), "reason": "stale"}},
		{"not answered", cryptr(at, secondText), secondText, "webhook_accepted", map[string]any{"key": 1, "age": int64(2), "reason": "no_answer"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g.send(t, c.header, c.body)
			e := <-events
			if e.Name() != c.want || e.Origin().CaddyModule().ID != "http.handlers.verify_webhook" {
				t.Errorf("%s of %s", e.Name(), e.Origin().CaddyModule().ID)
			}
			got := maps.Clone(e.Data)
			if id, verified := got["id"].(string); verified != (c.data["key"] != nil) || verified && !strings.HasPrefix(id, "sha256-") {
				t.Errorf("id %q", id)
			}
			delete(got, "id")
			c.data["provider"] = "label"
			if fmt.Sprint(got) != fmt.Sprint(c.data) {
				t.Errorf("%v, want %v", got, c.data)
			}
			if strings.Contains(fmt.Sprint(e.Data), "canary") {
				t.Error("holds a payload")
			}
		})
	}
}

// TestSlowListener checks that deliveries do not wait for a listener, and that
// the number of waiting events is bounded.
func TestSlowListener(t *testing.T) {
	g := newGateway(t, nil, nil)
	release := make(chan struct{})
	ended := make(chan struct{}, mostEvents)
	g.listen(t, "webhook_accepted", func(caddy.Event) {
		<-release
		ended <- struct{}{}
	})
	for n := range mostEvents + 1 {
		text := fmt.Sprint(n)
		expect(t, g.send(t, craneops(text), text), http.StatusNoContent, "")
		expect(t, g.send(t, craneops(text), text), http.StatusOK, "") // it is recorded
	}
	if n := g.logs.FilterMessageSnippet("an event was dropped").Len(); n != 1 {
		t.Errorf("%d events were dropped", n)
	}
	close(release)
	for range mostEvents {
		<-ended
	}
}

func TestPanickingListener(t *testing.T) {
	g := newGateway(t, nil, nil)
	g.listen(t, "webhook_accepted", func(caddy.Event) { panic("canary") })
	expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	// All places are free again once the listener has returned.
	for range mostEvents {
		g.handler.events.places <- struct{}{}
	}
	logged := g.logs.FilterMessage("panic in a handler of events").All()
	if len(logged) != 1 || strings.Contains(fmt.Sprint(logged[0].ContextMap()["type"]), "canary") {
		t.Errorf("log %v", logged)
	}
}
