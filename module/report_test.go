package module

import (
	"maps"
	"testing"

	"go.uber.org/zap/zapcore"

	"github.com/hooklatch/hooklatch/schemes"
)

// TestAccessLog has the event only once it is verified.
func TestAccessLog(t *testing.T) {
	h := &Handler{Provider: "acme", Scheme: "craneops"}
	for name, c := range map[string]struct {
		delivery *delivery
		want     map[string]any
	}{
		"accepted": {
			&delivery{verdict: accepted, verified: true, idText: "evt_1", facts: schemes.Event{Type: "booking.created"}},
			map[string]any{"webhook_verdict": "accepted", "webhook_id": "evt_1", "webhook_event": "booking.created"},
		},
		"without an event": {
			&delivery{verdict: accepted, verified: true, idText: "evt_1"},
			map[string]any{"webhook_verdict": "accepted", "webhook_id": "evt_1"},
		},
		"forged": {
			&delivery{verdict: rejected, reason: schemes.SignatureMismatch, facts: schemes.Event{Type: "booking.created"}},
			map[string]any{"webhook_verdict": "rejected", "webhook_reason": "signature_mismatch"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.delivery.handler = h
			c.want["webhook_provider"], c.want["webhook_scheme"] = "acme", "craneops"
			got := zapcore.NewMapObjectEncoder()
			for _, field := range c.delivery.logFields() {
				field.AddTo(got)
			}
			if !maps.Equal(got.Fields, c.want) {
				t.Errorf("%v, want %v", got.Fields, c.want)
			}
		})
	}
}
