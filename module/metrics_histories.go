package module

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooklatch/hooklatch/module/replay"
)

// openHistories shows how much the histories hold that are open now, asked for
// at every scrape. During a reload the old configuration and the new one have
// one and the same history open: the one that was opened last is asked.
type openHistories struct {
	entries *prometheus.Desc

	mu   sync.Mutex
	open []openHistory // in the order of their opening
}

type openHistory struct {
	label   label
	store   string
	counter replay.EntryCounter
}

func newOpenHistories() *openHistories {
	return &openHistories{entries: prometheus.NewDesc(
		prometheus.BuildFQName(metricsNamespace, metricsSubsystem, "replay_entries"),
		"Entries of delivered events in the replay history, with those that have expired and not been removed yet.",
		[]string{"provider", "scheme", "store"}, nil)}
}

// add shows a history until remove is called.
func (o *openHistories) add(h openHistory) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = append(o.open, h)
}

func (o *openHistories) remove(h openHistory) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.open, h); i >= 0 {
		o.open = slices.Delete(o.open, i, i+1)
	}
}

// Describe names the metric.
func (o *openHistories) Describe(descs chan<- *prometheus.Desc) { descs <- o.entries }

// Collect asks the histories. One that cannot say is left out.
func (o *openHistories) Collect(collected chan<- prometheus.Metric) {
	o.mu.Lock()
	open := slices.Clone(o.open)
	o.mu.Unlock()
	type series struct {
		label label
		store string
	}
	asked := map[series]bool{}
	for _, h := range slices.Backward(open) {
		if s := (series{h.label, h.store}); !asked[s] {
			asked[s] = true
			if n, known := h.counter.Entries(); known {
				collected <- prometheus.MustNewConstMetric(o.entries, prometheus.GaugeValue, float64(n), h.label.provider, h.label.scheme, h.store)
			}
		}
	}
}

// Interface guards
var _ prometheus.Collector = (*openHistories)(nil)
