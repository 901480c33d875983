package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestMonitoring lets a real Prometheus scrape a gateway that goes through
// everything that the dashboard shows and the alerts cover. Every query has
// values, and the right alerts are raised.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	kept := inboxFile(filepath.Join(t.TempDir(), "inbox.db"))
	full := inboxFile(filepath.Join(t.TempDir(), "inbox.db"), "max_size 1KiB")
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/craneops", "craneops", app.Addr, "secret {env.CRANEOPS_OLD_SECRET}"),
		harness.Route("/dead", harness.Verify("craneops", "CRANEOPS_SECRET", "provider dead", kept),
			"@kept header Webhook-Attempt *", "respond @kept 422", "respond 503"),
		harness.Route("/unkept", harness.Verify("craneops", "CRANEOPS_SECRET", "provider unkept", full), "respond 503"),
		harness.Hook("/cryptr", "cryptr", app.Addr),
		harness.Hook("/mismatch", "craneops", app.Addr, "provider mismatch"),
		harness.Hook("/full", "craneops", app.Addr, "provider full", "replay memory {\nsize 2\n}"),
		harness.Hook("/redis", "craneops", app.Addr, "provider redis", "replay redis redis://127.0.0.1:1 {\non_error forward\n}"),
		harness.Route("/down", harness.Verify("craneops", "CRANEOPS_SECRET", "provider down"), "error 500"),
		harness.Hook("/observed", "craneops", app.Addr, "provider observed", "observe"),
	), append(harness.Secrets(), "CRANEOPS_OLD_SECRET="+oldCraneopsSecret)...)
	// A histogram appears with its first observation, and Prometheus computes a
	// rate only for a series that it has scraped before.
	g.Send(t, harness.Cryptr(`{"n":0}`, time.Now().Add(-3*time.Second))).Accepted(t)
	p := startPrometheus(t, g.Admin)
	p.awaitScrape(t) // the series now exist before they increase

	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	g.Send(t, harness.CraneOps(`{}`)).Duplicate(t)
	g.Send(t, harness.CraneOps(`{}`).With("X-CraneOps-Event", "another")).Rejected(t, "conflict")
	g.Send(t, harness.CraneOps(`{"old":1}`).With("X-CraneOps-Signature", harness.HexMAC(oldCraneopsSecret, `{"old":1}`))).Accepted(t)
	g.Send(t, harness.Cryptr(`{}`, time.Now().Add(-3*time.Second))).Accepted(t)
	g.Send(t, harness.Cryptr(`{}`, time.Now().Add(-time.Hour))).Rejected(t, "stale")
	g.Send(t, harness.CraneOps(`{}`).Saying([]byte("{ }")).To("/mismatch")).Rejected(t, "signature_mismatch")
	g.Send(t, harness.CraneOps(`{}`).To("/redis")).Accepted(t)
	g.Send(t, harness.CraneOps(`{}`).To("/down")).Is(t, http.StatusInternalServerError, "accepted", "no_answer")
	g.Send(t, harness.CraneOps(`{}`).Saying([]byte("{ }")).To("/observed"))
	g.Send(t, harness.CraneOps(`{}`).To("/dead")).Accepted(t)
	g.Send(t, harness.CraneOps(`{}`).To("/unkept")).Is(t, http.StatusServiceUnavailable, "accepted", "")
	for n := range 4 {
		g.Send(t, harness.CraneOps(fmt.Sprint(n)).To("/full")).Accepted(t)
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
		"HooklatchSilence":           false,
		"HooklatchDrift":             false,
		"HooklatchInboxOld":          false,
		"HooklatchInboxDead":         true,
		"HooklatchInboxFilling":      false,
		"HooklatchInboxFails":        true,
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
	harness.Poll(t, "the alerts", func() bool {
		got = raised() // on a busy machine a scrape may fail, which raises HooklatchDown for a moment
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

// TestInboxAlerts checks with promtool the alerts that need too much time or
// space for a test: a delivery that waits, and an inbox that fills up.
func TestInboxAlerts(t *testing.T) {
	t.Parallel()
	harness.Needs(t, "promtool")
	rules, err := filepath.Abs(filepath.Join(monitoring, "alerts.yml"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "inbox.yml")
	if err := os.WriteFile(file, fmt.Appendf(nil, inboxRules, rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("promtool", "test", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

const inboxRules = `
rule_files: [%s]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: caddy_verify_webhook_inbox_oldest_seconds{job="hooklatch",instance="a",provider="slow",scheme="github"}
        values: 0+60x30
      - series: caddy_verify_webhook_inbox_oldest_seconds{job="hooklatch",instance="a",provider="restarted",scheme="github"}
        values: 0+60x10 0x20
      - series: caddy_verify_webhook_inbox_bytes{job="hooklatch",instance="a",provider="slow",scheme="github"}
        values: 500000000x30
      - series: caddy_verify_webhook_inbox_bytes{job="hooklatch",instance="a",provider="restarted",scheme="github"}
        values: 0+20000000x30
    alert_rule_test:
      - {alertname: HooklatchInboxOld, eval_time: 20m, exp_alerts: []}
      - alertname: HooklatchInboxOld
        eval_time: 21m
        exp_alerts:
          - exp_labels: {severity: critical, provider: slow, scheme: github}
            exp_annotations:
              summary: A delivery of slow has waited for 21m 0s; the application does not take it.
      - {alertname: HooklatchInboxFilling, eval_time: 17m, exp_alerts: []}
      - alertname: HooklatchInboxFilling
        eval_time: 18m
        exp_alerts:
          - exp_labels: {severity: critical, job: hooklatch, instance: a}
            exp_annotations:
              summary: The inbox of a holds 820.2MiB and will be full soon.
      - {alertname: HooklatchInboxDead, eval_time: 30m, exp_alerts: []}
      - {alertname: HooklatchInboxFails, eval_time: 30m, exp_alerts: []}
`

// metrics returns the names of Hooklatch's metrics that Prometheus knows.
func (p *prometheus) metrics(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, s := range p.query(t, `count by (__name__) ({__name__=~"`+harness.MetricsPrefix+`.*"})`) {
		name := s.labels["__name__"]
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			name = strings.TrimSuffix(name, suffix)
		}
		names[name] = true
	}
	if len(names) != 18 {
		t.Errorf("Prometheus knows %v", names)
	}
	return names
}

// useMetrics reads the metrics as Prometheus would.
func useMetrics(t *testing.T, s *staged) {
	m := harness.MetricsOf(t, s.alsoAddr)
	if m.Requests("craneops", "accepted", "") == 0 || m.Requests("craneops", "duplicate", "duplicate") == 0 {
		t.Errorf("metrics %v", m)
	}
}
