package module

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module/replay"
)

// TestRejudgeGoesRound checks that one delivery that the application never
// takes does not block the deliveries after it.
func TestRejudgeGoesRound(t *testing.T) {
	wrong, right := corrected(t, nil, func(w http.ResponseWriter, r *http.Request) error {
		status := http.StatusNoContent
		if r.ContentLength == 1 { // the first one
			status = http.StatusServiceUnavailable
		}
		w.WriteHeader(status)
		return nil
	})
	for _, text := range []string{"1", "22", "333"} {
		wrong.send(t, craneops(text), text)
	}
	const stopped = "the application answered 503"
	right.rejudge(t, rejudged{Judged: 1, Stopped: stopped})
	right.rejudge(t, rejudged{Judged: 3, Delivered: 2, Stopped: stopped})
	right.rejudge(t, rejudged{Judged: 1, Stopped: stopped})
	right.expectDelivered(t, "1", "22", "333", "1", "1")
}

// TestRejudgeAfterTheHistoryForgot checks a capture whose retry was delivered
// and then forgotten by the history after its ttl. The capture is not delivered
// again, unless an operator has the event forgotten.
func TestRejudgeAfterTheHistoryForgot(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(t *testing.T, g *gateway)
	}{
		{"the provider sent it again", func(t *testing.T, g *gateway) {
			expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
		}},
		{"an earlier rejudge found it delivered", func(t *testing.T, g *gateway) {
			expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
			g.rejudge(t, rejudged{Judged: 1})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wrong, right := corrected(t, map[string]any{"replay": map[string]any{"store": "memory", "ttl": "10m"}}, nil)
			expect(t, wrong.send(t, craneops(body), body), http.StatusUnauthorized, "rejected signature_mismatch")
			c.before(t, right)
			id := right.delivered()[0].header.Get("Webhook-Id")
			right.historyForgets(t, id)
			right.rejudge(t, rejudged{Judged: 1})
			right.expectDelivered(t, body)
			a := right.admin(t, http.MethodDelete, historyPath+right.handler.Provider+"/"+id)
			if a.status != http.StatusNoContent {
				t.Errorf("forget: %d %s", a.status, a.body)
			}
			right.rejudge(t, rejudged{Judged: 1, Delivered: 1})
			right.expectDelivered(t, body, body)
		})
	}
}

// historyForgets makes the history forget a delivery, as it does after its ttl.
func (g *gateway) historyForgets(t *testing.T, id string) {
	t.Helper()
	key, _ := replay.ParseID(id)
	history, err := g.handler.history.get()
	if err != nil {
		t.Fatal(err)
	}
	if status, err := history.Forget(t.Context(), key); err != nil || status != replay.Forgotten {
		t.Fatalf("%s: %v", status, err)
	}
}

// TestDeliverAgainBeforeAnotherHandler checks that the answer of a second
// verify_webhook does not count as the application's.
func TestDeliverAgainBeforeAnotherHandler(t *testing.T) {
	for _, c := range []struct {
		name    string
		secrets string
		first   int // its answer when it is sent the delivery itself
		answer  string
		says    string
	}{
		{"duplicate", testSecret, 204, "", "duplicate"},
		{"mismatch", "d3Jvbmc=", 401, "rejected signature_mismatch", "signature_mismatch"},
	} {
		t.Run(c.name, func(t *testing.T) {
			second := newGateway(t, map[string]any{"secrets": []string{c.secrets}}, nil)
			through := false
			g := newGateway(t, map[string]any{"capture": map[string]any{"of": "all"}}, nil)
			application, _ := applications.Load(t.Name())
			applications.Store(t.Name(), func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
				if through {
					return second.handler.ServeHTTP(w, r, next)
				}
				return application.(func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error)(w, r, next)
			})
			g.isActive()
			g.capturing(t)
			expect(t, second.send(t, craneops(body), body), c.first, c.answer)
			expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
			number, before := g.recent()[0].Number, len(g.delivered())
			through = true
			status, text := g.deliverNumber(t, number)
			if status != http.StatusConflict || !strings.Contains(text, "another verify_webhook after it answered") || !strings.Contains(text, c.says) {
				t.Errorf("%d %s", status, text)
			}
			if len(g.delivered()) != before {
				t.Error("the application got it")
			}
		})
	}
}

// TestDeliverAgainUnderAKnownOccurrence checks that an operator can deliver a
// conflicting delivery once. It is then recorded, so the provider's retry is a
// duplicate.
func TestDeliverAgainUnderAKnownOccurrence(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "mceasy", "capture": map[string]any{"of": "all"}}, nil)
	g.isActive()
	g.capturing(t)
	expect(t, g.send(t, mceasy(testTime, "6", "job-1", body), body), http.StatusNoContent, "")
	expect(t, g.send(t, mceasy(testTime, "6", "job-1", other), other), http.StatusConflict, "rejected conflict")
	if status, text := g.deliverNumber(t, g.recent()[0].Number); status != http.StatusOK || !strings.HasPrefix(text, `{"status":204,`) {
		t.Errorf("%d %s", status, text)
	}
	g.expectDelivered(t, body, other)
	for _, text := range []string{body, other} {
		expect(t, g.send(t, mceasy(testTime, "6", "job-1", text), text), http.StatusOK, "")
	}
	g.expectDelivered(t, body, other)
	if listed := fmt.Sprint(g.recent()[0].Verdict, g.recent()[0].Reason); listed != "duplicateduplicate" {
		t.Errorf("listed %s", listed)
	}
}
