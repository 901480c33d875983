package module

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hooklatch/hooklatch/module/replay"
)

// scrape reads the metrics as Prometheus would, and returns the values by
// series.
func scrape(t *testing.T, m *metrics) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	if err := m.register(registry); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}).
		ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	values := map[string]float64{}
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(strings.TrimSpace(line[at+1:]), 64)
		if err != nil {
			t.Fatal(err)
		}
		values[strings.TrimPrefix(line[:at], "caddy_verify_webhook_")] = value
	}
	return values
}

// metrics returns the series of the gateway's own label, without buckets and
// values of zero.
func (g *gateway) metrics(t *testing.T) map[string]float64 {
	t.Helper()
	label, scheme := fmt.Sprintf(`provider="%s"`, g.handler.Provider), fmt.Sprintf(`scheme="%s"`, g.handler.Scheme)
	shorten := strings.NewReplacer(label+",", "", ","+label, "", "{"+label+"}", "", ","+scheme, "", scheme+",", "", "{"+scheme+"}", "")
	own := map[string]float64{}
	for name, value := range scrape(t, series) {
		if !strings.Contains(name, label) || strings.Contains(name, "_bucket{") || value == 0 {
			continue
		}
		if !strings.Contains(name, scheme) {
			t.Errorf("%s does not have the label %s", name, scheme)
		}
		own[shorten.Replace(shorten.Replace(name))] = value
	}
	return own
}

func TestMetricsOfDeliveries(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "cryptr", "secrets": []string{"bmV3", testSecret}}, func(w http.ResponseWriter, r *http.Request) error {
		if strings.Contains(r.Header.Get("Cryptr-Signature"), "t="+formatSeconds(testTime.Add(-time.Minute))) {
			return errors.New("down")
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	fresh := testTime.Truncate(time.Second).Add(-2 * time.Second)
	g.send(t, cryptr(fresh, body), body)                        // accepted
	g.send(t, cryptr(fresh, body), body)                        // duplicate
	g.send(t, cryptr(fresh, "other"), body)                     // forged
	g.send(t, cryptr(testTime.Add(-time.Hour), body), body)     // stale
	g.send(t, cryptr(testTime.Add(time.Hour), body), body)      // future
	g.send(t, cryptr(testTime.Add(-time.Minute), "{}"), "{}")   // not answered
	g.send(t, http.Header{}, body)                              // no signature
	g.send(t, http.Header{"Cryptr-Signature": {"v1=ab"}}, body) // malformed

	want := map[string]float64{
		`requests_total{reason="",verdict="accepted"}`:                    1,
		`requests_total{reason="no_answer",verdict="accepted"}`:           1,
		`requests_total{reason="duplicate",verdict="duplicate"}`:          1,
		`requests_total{reason="signature_mismatch",verdict="rejected"}`:  1,
		`requests_total{reason="stale",verdict="rejected"}`:               1,
		`requests_total{reason="future",verdict="rejected"}`:              1,
		`requests_total{reason="missing_signature",verdict="rejected"}`:   1,
		`requests_total{reason="malformed_signature",verdict="rejected"}`: 1,
		`verify_duration_seconds_count`:                                   6, // whose body was read
		`body_bytes_count`:                                                6,
		`body_bytes_sum`:                                                  float64(5*len(body) + len("{}")),
		`key_matches_total{key="2"}`:                                      5,
		`delivery_age_seconds_count`:                                      5,
		`delivery_age_seconds_sum`:                                        2*2.678 + 3600.678 + 60.678, // and 0 for one ahead of the clock
		`replay_duration_seconds_count{store="memory"}`:                   5,                           // reserved, delivered; seen; reserved, released
		`replay_entries{store="memory"}`:                                  1,
		`last_accepted_timestamp_seconds`:                                 float64(testTime.UnixMilli()) / 1000,
	}
	got := g.metrics(t)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if diff := got[name] - want[name]; diff > 1e-6 || diff < -1e-6 {
			t.Errorf("%s is %v, want %v", name, got[name], want[name])
		}
		delete(got, name)
	}
	delete(got, "delivery_age_seconds_sum")
	if len(got) > 0 {
		t.Errorf("and also %v", got)
	}
}

// TestBufferedBytes checks the metric while the application has a delivery.
func TestBufferedBytes(t *testing.T) {
	before := scrape(t, series)["buffered_bytes"]
	var during float64
	g := newGateway(t, nil, func(w http.ResponseWriter, _ *http.Request) error {
		during = scrape(t, series)["buffered_bytes"]
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	if held := during - before; held != float64(len(body)) {
		t.Errorf("%v bytes held, the body has %d", held, len(body))
	}
}

// TestSenderMakesNoSeries checks that values chosen by a sender create no new
// series.
func TestSenderMakesNoSeries(t *testing.T) {
	g := newGateway(t, nil, nil)
	g.send(t, craneops(body), body) // opens the history
	before := slices.Sorted(maps.Keys(scrape(t, series)))
	for n := range 50 {
		chosen := fmt.Sprintf(`{"event":"e%d","provider":"p%d"}`, n, n)
		h := with(craneops(chosen), "X-Craneops-Event", fmt.Sprint("u", n), "Webhook-Provider", fmt.Sprint("w", n), fmt.Sprint("X-Chosen-", n), "x")
		g.send(t, h, chosen)
		r := g.request(t, h, strings.NewReader(chosen))
		r.Method = fmt.Sprint("M", n)
		r.URL.Path, r.Host = fmt.Sprint("/", n), fmt.Sprint("h", n)
		g.sendRequest(t, r)
		g.send(t, craneops(fmt.Sprint(n)), chosen)
		g.send(t, http.Header{"X-Craneops-Signature": {fmt.Sprint(n)}}, chosen)
	}
	if after := slices.Sorted(maps.Keys(scrape(t, series))); !slices.Equal(before, after) {
		t.Errorf("%d series, %d before", len(after), len(before))
	}
	if got := g.metrics(t)[`requests_total{reason="",verdict="accepted"}`]; got != 51 {
		t.Errorf("%v accepted", got)
	}
}

// TestEveryOutcomeHasItsSeries checks that all series exist from the beginning:
// an alert sees no increase if there was no value before.
func TestEveryOutcomeHasItsSeries(t *testing.T) {
	m := newMetrics()
	label := label{provider: "label", scheme: "acme"}
	m.recorder(label, 2, false)
	m.storeRecorder(label, "memory").watch(measured{})
	got := scrape(t, m)
	for _, name := range []string{
		`requests_total{provider="label",reason="",scheme="acme",verdict="accepted"}`,
		`requests_total{provider="label",reason="no_answer",scheme="acme",verdict="accepted"}`,
		`requests_total{provider="label",reason="duplicate",scheme="acme",verdict="duplicate"}`,
		`requests_total{provider="label",reason="stale",scheme="acme",verdict="rejected"}`,
		`key_matches_total{key="1",provider="label",scheme="acme"}`,
		`key_matches_total{key="2",provider="label",scheme="acme"}`,
		`replay_errors_total{provider="label",scheme="acme",store="memory"}`,
		`replay_evictions_total{provider="label",scheme="acme",store="memory"}`,
		`replay_entries{provider="label",scheme="acme",store="memory"}`,
	} {
		if _, ok := got[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
}

// TestCostOfALabel limits the memory and the series of a label without
// deliveries, because an operator may have thousands of labels.
func TestCostOfALabel(t *testing.T) {
	const (
		labels     = 300
		mostSeries = 30
		mostBytes  = 16 << 10
	)
	prefix := fmt.Sprint("cost-", t.Name(), "-")
	load := func(from, to int) {
		t.Helper()
		var handlers []options
		for n := from; n < to; n++ {
			handlers = append(handlers, options{"provider": strings.ToLower(fmt.Sprint(prefix, n))})
		}
		ctx, err := caddy.ProvisionContext(configOf(t, handlers...))
		if err != nil {
			t.Fatal(err)
		}
		app, err := ctx.App(appName)
		if err != nil {
			t.Fatal(err)
		}
		if err := app.(*App).Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := app.(*App).Cleanup(); err != nil {
				t.Error(err)
			}
			runtime.KeepAlive(ctx)
		})
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // frees objects with finalizers and in pools
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	load(0, 1) // creates the shared state
	series0, heap0 := len(scrape(t, series)), heap()
	load(1, 1+labels)
	heap1, series1 := heap(), len(scrape(t, series))
	perLabel := (heap1 - heap0) / labels
	t.Logf("%d bytes and %d series each", perLabel, (series1-series0)/labels)
	if n := series1 - series0; n > labels*mostSeries || n == 0 {
		t.Errorf("%d labels have %d series, want at most %d each", labels, n, mostSeries)
	}
	if perLabel > mostBytes {
		t.Errorf("a label takes %d bytes, want at most %d", perLabel, mostBytes)
	}
}

// measured is a history that reports a fixed number of entries. Below zero, the
// number is unknown.
type measured struct {
	replay.History
	n int
}

func (m measured) Entries() (int, bool) { return m.n, m.n >= 0 }

// TestEntriesDuringAReload checks that a history that two configurations have
// open is counted once, as the newer one sees it. If the newer one fails, the
// older one is asked again.
func TestEntriesDuringAReload(t *testing.T) {
	const name = `replay_entries{provider="label",scheme="acme",store="memory"}`
	m := newMetrics()
	store := m.storeRecorder(label{provider: "label", scheme: "acme"}, "memory")
	expect := func(want float64, there bool) {
		t.Helper()
		if got, ok := scrape(t, m)[name]; got != want || ok != there {
			t.Errorf("%v (%v), want %v (%v)", got, ok, want, there)
		}
	}
	expect(0, false)
	closeOld := store.watch(measured{n: 3})
	expect(3, true)
	closeNew := store.watch(measured{n: 4})
	expect(4, true)
	closeNew()
	expect(3, true)
	closeUnknown := store.watch(measured{n: -1})
	expect(0, false)
	closeUnknown()
	closeOld()
	expect(0, false)
}

// TestFullHistoryIsCounted checks the metrics of a full history: its evictions
// and its entries.
func TestFullHistoryIsCounted(t *testing.T) {
	g := newGateway(t, map[string]any{"replay": map[string]any{"store": "memory", "size": 2}}, nil)
	for n := range 5 {
		text := fmt.Sprint(n)
		g.send(t, craneops(text), text)
	}
	got := g.metrics(t)
	if got[`replay_evictions_total{store="memory"}`] != 3 || got[`replay_entries{store="memory"}`] != 2 {
		t.Errorf("%v", got)
	}
}
