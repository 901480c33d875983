package module

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// result is the key by which requests are counted.
type result struct {
	verdict verdict
	reason  Reason
}

// results are all results that the handler itself can produce.
var results = func() []result {
	all := []result{{accepted, ""}, {accepted, noAnswer}, {duplicateBefore, conflict}}
	for _, reason := range slices.Sorted(maps.Keys(statuses)) {
		if reason == duplicate {
			all = append(all, result{duplicateBefore, reason})
		} else {
			all = append(all, result{rejected, reason})
		}
	}
	return all
}()

// resultAt maps each result to its position in results.
var resultAt = func() map[result]int {
	at := map[result]int{}
	for i, r := range results {
		at[r] = i
	}
	return at
}()

// requestsTotal counts requests by label and result. All results of a label
// exist from the beginning, so that the first one of a kind shows as an
// increase. In a CounterVec they would take 17 KiB for each label, so they are
// plain numbers that become metrics when they are scraped.
type requestsTotal struct {
	desc *prometheus.Desc
	own  *prometheus.CounterVec // by the own reasons of schemes

	mu     sync.Mutex
	counts map[requestLabel]*requestCounts
}

func newRequestsTotal() *requestsTotal {
	const help = "Requests by what became of them."
	labels := []string{"provider", "scheme", "verdict", "reason"}
	return &requestsTotal{
		desc: prometheus.NewDesc(prometheus.BuildFQName(metricsNamespace, metricsSubsystem, "requests_total"), help, labels, nil),
		own: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: "requests_total", Help: help,
		}, labels),
		counts: map[requestLabel]*requestCounts{},
	}
}

// requestLabel is the key under which the requests of a handler are counted.
// With observe, verdicts that are not enforced are counted separately, under
// other names.
type requestLabel struct {
	label
	observes bool
}

// values returns the values of the metric's labels.
func (l requestLabel) values(r result) []string {
	name := string(r.verdict)
	if l.observes && r.verdict != accepted {
		name = observed + name
	}
	return []string{l.provider, l.scheme, name, string(r.reason)}
}

// requestCounts holds the numbers of one label, in the order of results.
type requestCounts struct {
	label requestLabel
	known []atomic.Uint64
	own   *prometheus.CounterVec
}

// of returns the counts of a label. Handlers with the same label share them.
func (t *requestsTotal) of(l requestLabel) *requestCounts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, known := t.counts[l]
	if !known {
		c = &requestCounts{l, make([]atomic.Uint64, len(results)), t.own}
		t.counts[l] = c
	}
	return c
}

// add counts a request. A request that was not judged has no verdict and is not
// counted.
func (c *requestCounts) add(r result) {
	if i, known := resultAt[r]; known {
		c.known[i].Add(1)
	} else if r.verdict != "" {
		c.own.WithLabelValues(c.label.values(r)...).Inc()
	}
}

// Describe names the metric.
func (t *requestsTotal) Describe(descs chan<- *prometheus.Desc) { descs <- t.desc }

// Collect shows every number.
func (t *requestsTotal) Collect(collected chan<- prometheus.Metric) {
	t.mu.Lock()
	all := slices.Collect(maps.Values(t.counts))
	t.mu.Unlock()
	for _, c := range all {
		for i, r := range results {
			collected <- prometheus.MustNewConstMetric(t.desc, prometheus.CounterValue, float64(c.known[i].Load()), c.label.values(r)...)
		}
	}
	t.own.Collect(collected)
}

// Interface guards
var _ prometheus.Collector = (*requestsTotal)(nil)
