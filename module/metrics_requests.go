package module

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// result is what requests are counted by.
type result struct {
	verdict verdict
	reason  Reason
}

// results are all that the handler itself has.
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

// resultAt are the positions in results.
var resultAt = func() map[result]int {
	at := map[result]int{}
	for i, r := range results {
		at[r] = i
	}
	return at
}()

// requestsTotal counts requests by label and result. All results of a label are
// there from the beginning, so that the first one of a kind is an increase. With
// a CounterVec these would take 17 KiB for each label, so they are plain numbers
// that become metrics at a scrape.
type requestsTotal struct {
	desc *prometheus.Desc
	own  *prometheus.CounterVec // by the reasons that schemes made up themselves

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

// requestLabel is what a handler's requests are counted under. What is observed
// and not enforced is counted apart, under verdicts of other names.
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

// requestCounts are the numbers of one label, as in results.
type requestCounts struct {
	label requestLabel
	known []atomic.Uint64
	own   *prometheus.CounterVec
}

// of returns the numbers of a label. Handlers that share it share them.
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

// add counts a request. One that was not judged has no verdict and is not
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
