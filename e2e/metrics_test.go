package e2e

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

const payloadCanary = "e2e-canary-payload-9Xw4Tm"

// TestNothingTellsASecret: metrics, traces, events and Hooklatch's log lines
// contain no secret, no MAC and no payload. Caddy's events app logs all data of
// an event. Traces are written to the standard output.
func TestNothingTellsASecret(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Route("/craneops", "tracing", harness.Verify("craneops", "CRANEOPS_SECRET", signUpstream), "reverse_proxy "+app.Addr),
		harness.Route("/cryptr", "tracing", harness.Verify("cryptr", "CRYPTR_SECRET", signUpstream), "reverse_proxy "+app.Addr),
		harness.Route("/down", "tracing", harness.Verify("craneops", "CRANEOPS_SECRET", "provider down"), "error 500"),
		harness.Route("/late", "tracing", harness.Verify("craneops", "CRANEOPS_SECRET", "provider late", "replay redis redis://127.0.0.1:1"), "reverse_proxy "+app.Addr),
	), append(signingSecrets(), "OTEL_TRACES_EXPORTER=console", "OTEL_BSP_SCHEDULE_DELAY=50")...)

	body := fmt.Sprintf(`{"event":"e","secret":%q}`, payloadCanary)
	forged := harness.CraneOps(body + " ").Saying([]byte(body))
	stale := harness.Cryptr(body, time.Now().Add(-time.Hour))
	g.Send(t, harness.CraneOps(body)).Accepted(t)
	g.Send(t, harness.CraneOps(body)).Duplicate(t)
	g.Send(t, forged).Rejected(t, "signature_mismatch")
	g.Send(t, stale).Rejected(t, "stale")
	g.Send(t, harness.Cryptr(body, time.Now())).Accepted(t)
	g.Send(t, harness.CraneOps(body).With("X-CraneOps-Event", "another")).Rejected(t, "conflict")
	g.Send(t, harness.CraneOps(body).To("/down")).Is(t, http.StatusInternalServerError, "accepted", "no_answer")
	g.Send(t, harness.CraneOps(body).To("/late")).Rejected(t, "store_unavailable")

	app.Saw(t, 2)
	forbidden := []string{
		payloadCanary, body, hex.EncodeToString([]byte(payloadCanary)),
		harness.CraneOpsSecret, harness.CryptrSecret, newSigningSecret, oldSigningSecret,
		strings.TrimPrefix(newSigningSecret, "whsec_"), strings.TrimPrefix(oldSigningSecret, "whsec_"),
		harness.CraneOps(body).Get("X-CraneOps-Signature"), // also the one that the forgery should have had
		harness.CraneOps(body + " ").Get("X-CraneOps-Signature"),
	}
	for _, r := range app.All() {
		_, mac, _ := strings.Cut(r.Header.Get("Webhook-Signature"), "v1,")
		mac, _, _ = strings.Cut(mac, " ")
		if mac == "" {
			t.Error("the application got no signature")
		}
		forbidden = append(forbidden, mac)
	}
	for _, d := range []harness.Delivery{stale, harness.Cryptr(body, time.Now())} {
		_, mac, _ := strings.Cut(d.Get("Cryptr-Signature"), "sha256.")
		forbidden = append(forbidden, mac)
	}

	text := harness.MetricsText(t, g.Admin)
	if !strings.Contains(text, harness.MetricsPrefix+"requests_total") {
		t.Error("no metrics")
	}
	holdsNone(t, "the metrics say", text, forbidden)

	const spans, events = 8, 8
	g.AwaitLines(t, "spans", spans, isSpan)
	g.AwaitLines(t, "events", events, isEvent)
	own := 0
	for line := range strings.Lines(g.Log.String()) {
		if isOwn(line) {
			own++
			holdsNone(t, "the log says", line, forbidden)
		}
		if isSpan(line) || isEvent(line) {
			holdsNone(t, "a span or an event says", line, forbidden)
		}
	}
	if own < 5 {
		t.Errorf("only %d lines are Hooklatch's own", own)
	}
}

func isSpan(line string) bool { return strings.HasPrefix(line, `{"Name":"verify_webhook"`) }

func isEvent(line string) bool {
	return strings.Contains(line, `"logger":"events"`) && strings.Contains(line, `"name":"webhook_`)
}

var ownLogger = regexp.MustCompile(`"logger":"(http\.handlers\.)?verify_webhook|"logger":"http\.verify_webhook`)

func isOwn(line string) bool { return ownLogger.MatchString(line) }

// TestSenderChoosesNoLabel sends unforeseen values. They create no new series.
func TestSenderChoosesNoLabel(t *testing.T) {
	t.Parallel()
	g, _ := allProviders(t)
	for _, p := range harness.Providers() {
		g.Send(t, p.Deliver(`{}`)).Accepted(t) // opens its history
	}
	before := slices.Sorted(maps.Keys(harness.MetricsOf(t, g.Admin)))
	for _, p := range harness.Providers() {
		for n := range 20 {
			chosen := fmt.Sprintf(`{"event":"%[1]s%[2]d","code":"%[1]s%[2]d","provider":"%[1]s"}`, marker, n)
			d := p.Deliver(chosen).Plus("Webhook-Provider", marker).Plus("X-CraneOps-Event", marker).To("/" + p.Name + "/" + marker)
			g.Send(t, d)
			g.Send(t, d.By(strings.ToUpper(marker)))
			g.Send(t, d.With(p.Signature, marker))
			g.Send(t, d.Saying([]byte(marker)))
		}
	}
	after := harness.MetricsOf(t, g.Admin)
	if names := slices.Sorted(maps.Keys(after)); !slices.Equal(names, before) {
		t.Errorf("%d series, %d before", len(names), len(before))
	}
	for name := range after {
		if strings.Contains(strings.ToLower(name), strings.ToLower(marker)) {
			t.Error(name)
		}
	}
	for _, p := range harness.Providers() {
		if got := after.Requests(p.Name, "rejected", "method_not_allowed"); got != 20 {
			t.Errorf("%s: %v requests with another method", p.Name, got)
		}
	}
}

// TestFloodIsCountedAndNotLogged: thousands of forgeries are a few lines in the
// log, and every one of them is counted.
func TestFloodIsCountedAndNotLogged(t *testing.T) {
	t.Parallel()
	const forgeries = 5000
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.BareSite(harness.Hook("/craneops", "craneops", app.Addr)), append(harness.Secrets(), "E2E_LOG_LEVEL=INFO")...)
	tr := newTraffic(app, forgeries, g)
	began := time.Now()
	tr.each(func(n int) { tr.forge(t, n) })
	seconds := int(time.Since(began)/time.Second) + 2 // one may have begun before, and one after

	if passed := tr.forgedPassed.Load(); passed > 0 {
		t.Errorf("%d forgeries passed", passed)
	}
	app.Saw(t, 0)
	if got := harness.MetricsOf(t, g.Admin).Requests("craneops", "rejected", "signature_mismatch"); got != forgeries {
		t.Errorf("%v were counted", got)
	}
	const first, thereafter = 10, 1000
	most := first*seconds + forgeries/thereafter
	logged := g.Lines(func(line string) bool { return strings.Contains(line, "delivery rejected: signature_mismatch") })
	if logged == 0 || logged > most {
		t.Errorf("%d lines in the log, at most %d expected", logged, most)
	}
	t.Logf("%d forgeries, %d lines in the log", forgeries, logged)
}

// TestMetricsOutlastReloads: metrics survive reloads, even failed ones. Caddy's
// admin endpoint shows the metrics of the configuration that was loaded last,
// even if it failed.
func TestMetricsOutlastReloads(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	site := harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr))
	g := harness.Start(t, site, harness.Secrets()...)
	expect := func(accepted, duplicates float64) {
		t.Helper()
		m := harness.MetricsOf(t, g.Admin)
		got := []float64{m.Requests("craneops", "accepted", ""), m.Requests("craneops", "duplicate", "duplicate"), m[`replay_entries{provider="craneops",store="memory"}`]}
		if !slices.Equal(got, []float64{accepted, duplicates, 1}) {
			t.Errorf("accepted, duplicates, entries: %v", got)
		}
	}
	g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
	expect(1, 0)
	if said, err := g.Reload(t, site+"\nheader X-Reloaded yes"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	g.Send(t, harness.CraneOps(`{}`)).Duplicate(t)
	expect(1, 1)
	if _, err := g.Reload(t, harness.OpenSite(harness.Hook("/a", "craneops", app.Addr), harness.Hook("/b", "craneops", app.Addr))); err == nil {
		t.Fatal("a configuration with a label twice was loaded")
	}
	g.Send(t, harness.CraneOps(`{}`)).Duplicate(t)
	expect(1, 2)
}
