package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestMonitoring has a real Prometheus watch a gateway to which everything
// happens that the dashboard shows and the alerts are about: every query has
// values, and every alert but two is raised.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(
		hook("/craneops", "craneops", app.addr, "secret {env.CRANEOPS_OLD_SECRET}"),
		hook("/cryptr", "cryptr", app.addr),
		hook("/mismatch", "craneops", app.addr, "provider mismatch"),
		hook("/full", "craneops", app.addr, "provider full", "replay memory {\nsize 2\n}"),
		hook("/redis", "craneops", app.addr, "provider redis", "replay redis redis://127.0.0.1:1 {\non_error forward\n}"),
		route("/down", verify("craneops", "CRANEOPS_SECRET", "provider down"), "error 500"),
		hook("/observed", "craneops", app.addr, "provider observed", "observe"),
	), append(secrets(), "CRANEOPS_OLD_SECRET="+oldCraneopsSecret)...)
	// Histograms begin with their first observation, and Prometheus sees a rate
	// only of what it has seen before.
	g.send(t, cryptr(`{"n":0}`, time.Now().Add(-3*time.Second))).accepted(t)
	p := startPrometheus(t, g.admin)
	p.awaitScrape(t) // what increases has been there before

	g.send(t, craneops(`{}`)).accepted(t)
	g.send(t, craneops(`{}`)).duplicate(t)
	g.send(t, craneops(`{}`).with("X-CraneOps-Event", "another")).rejected(t, "conflict")
	g.send(t, craneops(`{"old":1}`).with("X-CraneOps-Signature", hexMAC(oldCraneopsSecret, `{"old":1}`))).accepted(t)
	g.send(t, cryptr(`{}`, time.Now().Add(-3*time.Second))).accepted(t)
	g.send(t, cryptr(`{}`, time.Now().Add(-time.Hour))).rejected(t, "stale")
	g.send(t, craneops(`{}`).saying([]byte("{ }")).to("/mismatch")).rejected(t, "signature_mismatch")
	g.send(t, craneops(`{}`).to("/redis")).accepted(t)
	g.send(t, craneops(`{}`).to("/down")).is(t, http.StatusInternalServerError, "accepted", "no_answer")
	g.send(t, craneops(`{}`).saying([]byte("{ }")).to("/observed"))
	for n := range 4 {
		g.send(t, craneops(fmt.Sprint(n)).to("/full")).accepted(t)
	}
	p.awaitScrape(t)
	p.awaitScrape(t)

	queries := dashboard(t)
	for _, title := range slices.Sorted(maps.Keys(queries)) {
		for _, q := range queries[title] {
			if !slices.ContainsFunc(p.query(t, q), func(s sample) bool { return s.value != "NaN" }) {
				t.Errorf("%s: no values for %s", title, q)
			}
		}
	}

	want := map[string]bool{ // whether it is raised
		"HooklatchDown":              false,
		"HooklatchEverythingRefused": true,
		"HooklatchAuthenticButStale": true,
		"HooklatchConflict":          true,
		"HooklatchOldSecretInUse":    true,
		"HooklatchHistoryFull":       true,
		"HooklatchHistoryFails":      true,
		"HooklatchNoAnswer":          true,
		"HooklatchOverloaded":        false,
	}
	raised := func() map[string]bool {
		raised := map[string]bool{}
		for name, state := range p.alerts(t) {
			raised[name] = state == "pending" || state == "firing"
		}
		return raised
	}
	var got map[string]bool
	defer func() {
		if t.Failed() {
			t.Logf("alerts %v, want %v", got, want)
		}
	}()
	poll(t, "the alerts", func() bool {
		got = raised() // on a busy machine a scrape may fail, and HooklatchDown be raised for a moment
		return maps.Equal(got, want)
	})

	described := contents(t, "../docs/operating.md")
	for name := range want {
		if !strings.Contains(described, name) {
			t.Errorf("docs/operating.md does not say what to do about %s", name)
		}
	}
	for name := range p.metrics(t) {
		if !strings.Contains(described, name) {
			t.Errorf("docs/operating.md does not have %s", name)
		}
	}
}

// metrics are the names of Hooklatch's metrics that Prometheus knows.
func (p *prometheus) metrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, s := range p.query(t, `count by (__name__) ({__name__=~"`+metricsPrefix+`.*"})`) {
		name := s.labels["__name__"]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		names[name] = true
	}
	if len(names) != 10 {
		t.Errorf("Prometheus knows %v", names)
	}
	return names
}

// useMetrics reads what Prometheus would.
func useMetrics(t *testing.T, s *staged) {
	m := metricsOf(t, s.alsoAddr)
	if m.requests("craneops", "accepted", "") == 0 || m.requests("craneops", "duplicate", "duplicate") == 0 {
		t.Errorf("metrics %v", m)
	}
}
