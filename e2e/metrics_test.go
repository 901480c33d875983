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
)

const payloadCanary = "e2e-canary-payload-9Xw4Tm"

// TestNothingTellsASecret: metrics, traces, events and what Hooklatch logs hold
// no secret, no MAC and no payload. Events are in the log of Caddy's events app,
// which writes down all they are told; traces are on the standard output too.
func TestNothingTellsASecret(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(
		route("/craneops", "tracing", verify("craneops", "CRANEOPS_SECRET", signUpstream), "reverse_proxy "+app.addr),
		route("/cryptr", "tracing", verify("cryptr", "CRYPTR_SECRET", signUpstream), "reverse_proxy "+app.addr),
		route("/down", "tracing", verify("craneops", "CRANEOPS_SECRET", "provider down"), "error 500"),
		route("/late", "tracing", verify("craneops", "CRANEOPS_SECRET", "provider late", "replay redis redis://127.0.0.1:1"), "reverse_proxy "+app.addr),
	), append(signingSecrets(), "OTEL_TRACES_EXPORTER=console", "OTEL_BSP_SCHEDULE_DELAY=50")...)

	body := fmt.Sprintf(`{"event":"e","secret":%q}`, payloadCanary)
	forged := craneops(body + " ").saying([]byte(body))
	stale := cryptr(body, time.Now().Add(-time.Hour))
	g.send(t, craneops(body)).accepted(t)
	g.send(t, craneops(body)).duplicate(t)
	g.send(t, forged).rejected(t, "signature_mismatch")
	g.send(t, stale).rejected(t, "stale")
	g.send(t, cryptr(body, time.Now())).accepted(t)
	g.send(t, craneops(body).with("X-CraneOps-Event", "another")).rejected(t, "conflict")
	g.send(t, craneops(body).to("/down")).is(t, http.StatusInternalServerError, "accepted", "no_answer")
	g.send(t, craneops(body).to("/late")).rejected(t, "store_unavailable")

	app.saw(t, 2)
	forbidden := []string{
		payloadCanary, body, hex.EncodeToString([]byte(payloadCanary)),
		craneopsSecret, cryptrSecret, newSigningSecret, oldSigningSecret,
		strings.TrimPrefix(newSigningSecret, "whsec_"), strings.TrimPrefix(oldSigningSecret, "whsec_"),
		craneops(body).get("X-CraneOps-Signature"), // also what the forged one should have had
		craneops(body + " ").get("X-CraneOps-Signature"),
	}
	for _, r := range app.all() {
		_, mac, _ := strings.Cut(r.header.Get("Webhook-Signature"), "v1,")
		mac, _, _ = strings.Cut(mac, " ")
		if mac == "" {
			t.Error("the application got no signature")
		}
		forbidden = append(forbidden, mac)
	}
	for _, d := range []delivery{stale, cryptr(body, time.Now())} {
		_, mac, _ := strings.Cut(d.get("Cryptr-Signature"), "sha256.")
		forbidden = append(forbidden, mac)
	}

	text := metricsText(t, g.admin)
	if !strings.Contains(text, metricsPrefix+"requests_total") {
		t.Error("no metrics")
	}
	holdsNone(t, "the metrics say", text, forbidden)

	const spans, events = 8, 8
	g.awaitLines(t, "spans", spans, isSpan)
	g.awaitLines(t, "events", events, isEvent)
	own := 0
	for line := range strings.Lines(g.log.String()) {
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

// TestSenderChoosesNoLabel sends what nobody could foresee. No series is new.
func TestSenderChoosesNoLabel(t *testing.T) {
	t.Parallel()
	g, _ := allProviders(t)
	for _, p := range providers() {
		g.send(t, p.deliver(`{}`)).accepted(t) // opens its history
	}
	before := slices.Sorted(maps.Keys(metricsOf(t, g.admin)))
	for _, p := range providers() {
		for n := range 20 {
			chosen := fmt.Sprintf(`{"event":"%[1]s%[2]d","code":"%[1]s%[2]d","provider":"%[1]s"}`, marker, n)
			d := p.deliver(chosen).plus("Webhook-Provider", marker).plus("X-CraneOps-Event", marker).to("/" + p.name + "/" + marker)
			g.send(t, d)
			g.send(t, d.by(strings.ToUpper(marker)))
			g.send(t, d.with(p.signature, marker))
			g.send(t, d.saying([]byte(marker)))
		}
	}
	after := metricsOf(t, g.admin)
	if names := slices.Sorted(maps.Keys(after)); !slices.Equal(names, before) {
		t.Errorf("%d series, %d before", len(names), len(before))
	}
	for name := range after {
		if strings.Contains(strings.ToLower(name), strings.ToLower(marker)) {
			t.Error(name)
		}
	}
	for _, p := range providers() {
		if got := after.requests(p.name, "rejected", "method_not_allowed"); got != 20 {
			t.Errorf("%s: %v requests with another method", p.name, got)
		}
	}
}

// TestFloodIsCountedAndNotLogged: thousands of forgeries are a few lines in the
// log, and every one of them is counted.
func TestFloodIsCountedAndNotLogged(t *testing.T) {
	t.Parallel()
	const forgeries = 5000
	app := newApplication(t)
	g := start(t, bareSite(hook("/craneops", "craneops", app.addr)), append(secrets(), "E2E_LOG_LEVEL=INFO")...)
	tr := newTraffic(app, forgeries, g)
	began := time.Now()
	tr.each(func(n int) { tr.forge(t, n) })
	seconds := int(time.Since(began)/time.Second) + 2 // one begun before, one begun after

	if passed := tr.forgedPassed.Load(); passed > 0 {
		t.Errorf("%d forgeries passed", passed)
	}
	app.saw(t, 0)
	if got := metricsOf(t, g.admin).requests("craneops", "rejected", "signature_mismatch"); got != forgeries {
		t.Errorf("%v were counted", got)
	}
	const first, thereafter = 10, 1000
	most := first*seconds + forgeries/thereafter
	logged := g.lines(func(line string) bool { return strings.Contains(line, "delivery rejected: signature_mismatch") })
	if logged == 0 || logged > most {
		t.Errorf("%d lines in the log, at most %d expected", logged, most)
	}
	t.Logf("%d forgeries, %d lines in the log", forgeries, logged)
}

// TestMetricsOutlastReloads, also one that fails: Caddy's admin endpoint shows
// the metrics of the configuration that was loaded last, in vain or not.
func TestMetricsOutlastReloads(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	site := openSite(hook("/craneops", "craneops", app.addr))
	g := start(t, site, secrets()...)
	expect := func(accepted, duplicates float64) {
		t.Helper()
		m := metricsOf(t, g.admin)
		got := []float64{m.requests("craneops", "accepted", ""), m.requests("craneops", "duplicate", "duplicate"), m[`replay_entries{provider="craneops",store="memory"}`]}
		if !slices.Equal(got, []float64{accepted, duplicates, 1}) {
			t.Errorf("accepted, duplicates, entries: %v", got)
		}
	}
	g.send(t, craneops(`{}`)).accepted(t)
	expect(1, 0)
	if said, err := g.reload(t, site+"\nheader X-Reloaded yes"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	g.send(t, craneops(`{}`)).duplicate(t)
	expect(1, 1)
	if _, err := g.reload(t, openSite(hook("/a", "craneops", app.addr), hook("/b", "craneops", app.addr))); err == nil {
		t.Fatal("a configuration with a label twice was loaded")
	}
	g.send(t, craneops(`{}`)).duplicate(t)
	expect(1, 2)
}
