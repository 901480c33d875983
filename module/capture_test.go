package module

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/internal/bodies"
)

// capturing begins capturing, as the app does when it starts.
func (g *gateway) capturing(t *testing.T) {
	t.Helper()
	g.remember(t)
	g.app.beginCapturing()
	if err := g.handler.history.open(); err != nil {
		t.Fatal(err)
	}
}

// whole is one delivery as the admin endpoint returns it.
type whole struct {
	Captured    bool
	URI         string
	Headers     http.Header
	Body        []byte
	ExplainedBy string `json:"explained_by"`
	WhatToDo    string `json:"what_to_do"`
}

// whole returns the last delivery from the admin endpoint.
func (g *gateway) whole(t *testing.T) (w whole, text string) {
	t.Helper()
	a := g.admin(t, http.MethodGet, deliveriesPath+"/"+jsonText(g.recent()[0].Number))
	if err := json.Unmarshal([]byte(a.body), &w); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return w, a.body
}

func TestCapture(t *testing.T) {
	g := newGateway(t, map[string]any{"capture": map[string]any{"body": 100}}, nil)
	g.capturing(t)
	const body = "{\"a\":1}"
	before := bodies.InUse().Bodies
	g.send(t, with(craneops(body), "Webhook-Verdict", "forged", "X-More", "\x80"), body+"\n")
	got, text := g.whole(t)
	if string(got.Body) != body+"\n" || got.URI != "/hook?token=1" || got.Headers.Get("X-More") == "" || got.Headers.Get("X-Craneops-Signature") == "" || got.Headers.Get("Webhook-Verdict") != "forged" {
		t.Errorf("captured %s", text)
	}
	if !strings.Contains(got.ExplainedBy, "line end") || got.WhatToDo == "" {
		t.Errorf("explained by %q, do %q", got.ExplainedBy, got.WhatToDo)
	}
	if strings.Contains(text, testSecret) {
		t.Error("the secret is shown")
	}
	number := jsonText(g.recent()[0].Number)

	for name, send := range map[string]func(){
		"accepted":  func() { g.send(t, craneops(body), body) },
		"unsigned":  func() { g.send(t, nil, body) },
		"malformed": func() { g.send(t, http.Header{"X-Craneops-Signature": {"x"}}, body) },
		"large":     func() { g.send(t, craneops(body), strings.Repeat("x", 101)) },
	} {
		send()
		if got, text := g.whole(t); got.Captured || got.Headers != nil || got.Body != nil || strings.Contains(text, craneops(body)["X-Craneops-Signature"][0]) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if a := g.admin(t, http.MethodDelete, deliveriesPath+"/"+number); a.status != http.StatusNoContent {
		t.Errorf("erase: %d %s", a.status, a.body)
	}
	if a := g.admin(t, http.MethodDelete, deliveriesPath+"/"+number); a.status != http.StatusNotFound {
		t.Errorf("erase again: %d %s", a.status, a.body)
	}
	if a := g.admin(t, http.MethodDelete, deliveriesPath); a.status != http.StatusBadRequest {
		t.Errorf("erase all of all: %d %s", a.status, a.body)
	}
	g.send(t, craneops(body), "other")
	if a := g.admin(t, http.MethodDelete, deliveriesPath+"?provider="+g.handler.Provider); a.status != http.StatusNoContent {
		t.Errorf("erase all: %d %s", a.status, a.body)
	}
	if got, _ := g.whole(t); got.Captured {
		t.Error("still captured")
	}
	if after := bodies.InUse().Bodies; after != before {
		t.Errorf("bodies hold %d bytes, before %d", after, before)
	}
	for _, entry := range g.logs.All() {
		if strings.Contains(jsonText(entry.ContextMap()), "\"a\":1") {
			t.Errorf("the payload is logged: %s", entry.Message)
		}
	}
}

// TestCaptureAll checks that authentic deliveries are captured too, with the
// headers as received and not those that the handler adds.
func TestCaptureAll(t *testing.T) {
	g := newGateway(t, map[string]any{"capture": map[string]any{"of": "all"}}, nil)
	g.capturing(t)
	g.send(t, craneops("{}"), "{}")
	got, text := g.whole(t)
	if string(got.Body) != "{}" || got.Headers.Get("Webhook-Id") != "" || got.ExplainedBy != "" {
		t.Error(text)
	}
	g.expectDelivered(t, "{}")
}

func TestCaptureOptions(t *testing.T) {
	for _, c := range []*Capture{{Of: "accepted"}, {Keep: -1}, {Keep: maxCaptureKeep + 1}, {Body: -1}, {For: -1}} {
		if c.check() == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// TestCaptureOfKept checks that a delivery kept in the inbox is captured whole,
// although its sender does not wait for the application.
func TestCaptureOfKept(t *testing.T) {
	for range 20 {
		t.Run("", func(t *testing.T) {
			g := newKeeper(t, nil, map[string]any{"capture": map[string]any{"of": "all"}}, answering(http.StatusBadGateway))
			g.send(t, craneops("{}"), "{}")
			got, text := g.whole(t)
			d := g.recent()[len(g.recent())-1]
			if string(got.Body) != "{}" || d.Size != 2 || d.Status != http.StatusOK || d.Inbox != "kept" || d.Application != http.StatusBadGateway {
				t.Error(text)
			}
		})
	}
}

// TestRecentRedelivery checks that each attempt of the inbox is listed with the
// application's answer.
func TestRecentRedelivery(t *testing.T) {
	var app switchable
	g := newKeeper(t, nil, nil, app.serve)
	g.send(t, craneops(body), body)
	g.waitForEntries(t, 1)
	app.up.Store(true)
	g.elapse(time.Hour)
	waitUntil(t, func() bool { return len(g.recent()) == 2 })
	kept, again := g.recent()[1], g.recent()[0]
	if kept.Inbox != "kept" || kept.Status != http.StatusOK || kept.Attempt != 0 {
		t.Errorf("kept: %+v", kept)
	}
	if again.Inbox != "redelivered" || again.Status != 0 || again.Application != http.StatusNoContent || again.Attempt != 1 ||
		again.ID != kept.ID || again.Size != kept.Size || again.Path != kept.Path {
		t.Errorf("again: %+v", again)
	}
}
