package module

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooklatch/hooklatch/module/replay"
)

// storeRecorder counts what the replay store of a handler does. A nil one
// counts nothing.
type storeRecorder struct {
	metrics *metrics
	label   label
	store   string

	duration histogram
	errors   prometheus.Counter
}

// storeRecorder returns the recorder of a label's store, or nil for the store
// none.
func (m *metrics) storeRecorder(l label, store string) *storeRecorder {
	if store == storeNone {
		return nil
	}
	return &storeRecorder{
		metrics: m, label: l, store: store,
		duration: lazily(m.replayDuration, l.provider, l.scheme, store),
		errors:   m.replayErrors.WithLabelValues(l.provider, l.scheme, store),
	}
}

// used measures one use of the store and counts its failure.
func (r *storeRecorder) used(took time.Duration, err error) {
	if r == nil {
		return
	}
	r.duration.observe(took.Seconds())
	if err != nil {
		r.errors.Inc()
	}
}

// failed counts a failure that no request returns.
func (r *storeRecorder) failed() {
	if r != nil {
		r.errors.Inc()
	}
}

// evicted counts entries that made room before they expired.
func (r *storeRecorder) evicted(entries int) {
	if r != nil {
		r.metrics.replayEvictions.WithLabelValues(r.label.provider, r.label.scheme, r.store).Add(float64(entries))
	}
}

// watch shows how much a history holds until unwatch is called. What knows that
// also knows when it makes room; Redis does so by itself, and nobody is told.
func (r *storeRecorder) watch(history replay.History) (unwatch func()) {
	measured, ok := history.(replay.EntryCounter)
	if r == nil || !ok {
		return func() {}
	}
	r.evicted(0)
	open := openHistory{r.label, r.store, measured}
	r.metrics.histories.add(open)
	return func() { r.metrics.histories.remove(open) }
}
