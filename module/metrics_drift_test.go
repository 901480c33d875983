package module

import (
	"net/http"
	"testing"
	"time"
)

// TestDrift checks that well-formed deliveries that fail to verify are counted
// in a row, and that one that verifies ends the row.
func TestDrift(t *testing.T) {
	g := newGateway(t, nil, nil)
	state := g.handler.state
	loaded := state.acceptedAt.Load()
	if age := time.Since(time.UnixMilli(loaded)); age < -time.Second || age > time.Hour {
		t.Errorf("loaded %v ago", age)
	}
	g.send(t, nil, "{}") // has no signature
	g.send(t, http.Header{"X-Craneops-Signature": {"x"}}, "{}")
	if n := state.longestRun(); n != 0 {
		t.Errorf("%d in a row", n)
	}
	g.send(t, craneops("{}"), "other")
	g.send(t, craneops("{}"), "other")
	if n := state.longestRun(); n != 2 || state.acceptedAt.Load() != loaded {
		t.Errorf("%d in a row", n)
	}
	g.send(t, craneops("{}"), "{}")
	if n := state.longestRun(); n != 0 || state.acceptedAt.Load() == loaded {
		t.Errorf("%d in a row after an accepted one", n)
	}
	g.send(t, craneops("{}"), "other")
	accepted := state.acceptedAt.Load()
	g.send(t, craneops("{}"), "{}") // a duplicate
	if n := state.longestRun(); n != 0 || state.acceptedAt.Load() != accepted {
		t.Errorf("%d in a row after a duplicate", n)
	}
	var drifts int
	for range 2 * driftAt {
		if state.ended(&delivery{verdict: rejected, arrived: testTime}) {
			drifts++
		}
	}
	if drifts != 1 {
		t.Errorf("%d events for one run", drifts)
	}
}
