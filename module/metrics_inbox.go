package module

import (
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooklatch/hooklatch/module/inbox"
)

// inboxMetrics are the series of inboxes. A label without one has none of them.
type inboxMetrics struct {
	kept     *prometheus.CounterVec
	attempts *prometheus.CounterVec
	errors   *prometheus.CounterVec
	open     *openInboxes
}

func newInboxMetrics() inboxMetrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help,
		}, append([]string{"provider", "scheme"}, labels...))
	}
	return inboxMetrics{
		kept:     counter("inbox_kept_total", "Deliveries that were kept because the application did not take them, or with mode always all."),
		attempts: counter("inbox_attempts_total", "Attempts to hand a kept delivery to the application, by outcome.", "outcome"),
		errors:   counter("inbox_errors_total", "What the inbox could not do: keep a delivery because it is full, or read or write what it holds."),
		open:     newOpenInboxes(),
	}
}

func (m inboxMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.kept, m.attempts, m.errors, m.open}
}

// inboxRecorder counts the deliveries and attempts of a label's inbox.
type inboxRecorder struct {
	kept, delivered, again, dead, errors prometheus.Counter
}

func (m inboxMetrics) recorder(l label) inboxRecorder {
	outcome := func(name string) prometheus.Counter { return m.attempts.WithLabelValues(l.provider, l.scheme, name) }
	return inboxRecorder{
		kept:      m.kept.WithLabelValues(l.provider, l.scheme),
		delivered: outcome("delivered"), again: outcome("again"), dead: outcome("dead"),
		errors: m.errors.WithLabelValues(l.provider, l.scheme),
	}
}

// attempted counts an attempt by its outcome.
func (r inboxRecorder) attempted(a attempt, b *labelInbox) {
	switch {
	case a.taken:
		r.delivered.Inc()
	case a.refused(b):
		r.dead.Inc()
	default:
		r.again.Inc()
	}
}

// openInboxes shows the size of the open inboxes. During a reload two
// configurations have the same inbox open; it is shown once.
type openInboxes struct {
	entries, oldest, bytes *prometheus.Desc

	mu   sync.Mutex
	open []openInbox // in the order of their opening
}

// openInbox is an inbox that metrics show and the admin endpoint finds. It has
// no scheduler if the configuration no longer has its label.
type openInbox struct {
	label  label
	opened inbox.Inbox
	look   func() // has the scheduler look again; nil without one
}

func newOpenInboxes() *openInboxes {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(metricsNamespace, metricsSubsystem, name), help,
			append([]string{"provider", "scheme"}, labels...), nil)
	}
	return &openInboxes{
		entries: desc("inbox_entries", "Deliveries in the inbox, by state.", "state"),
		oldest:  desc("inbox_oldest_seconds", "How long the oldest waiting delivery has waited; 0 if none does."),
		bytes:   desc("inbox_bytes", "Bytes of what is kept, dead deliveries included; max_size limits them."),
	}
}

func (o *openInboxes) add(b *openInbox) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = append(o.open, *b)
}

func (o *openInboxes) remove(b *openInbox) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = slices.DeleteFunc(o.open, func(each openInbox) bool { return each.opened == b.opened })
}

// look wakes all schedulers of a label.
func (o *openInboxes) look(l label) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, b := range o.open {
		if b.label == l && b.look != nil {
			b.look()
		}
	}
}

// all returns each inbox once, the one opened last, sorted by label.
func (o *openInboxes) all() []openInbox {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []openInbox
	for _, b := range slices.Backward(o.open) {
		if !slices.ContainsFunc(all, func(each openInbox) bool { return each.label == b.label }) {
			all = append(all, b)
		}
	}
	slices.SortFunc(all, func(a, b openInbox) int { return a.label.compare(b.label) })
	return all
}

// Describe names the metrics.
func (o *openInboxes) Describe(descs chan<- *prometheus.Desc) {
	descs <- o.entries
	descs <- o.oldest
	descs <- o.bytes
}

// Collect asks the inboxes.
func (o *openInboxes) Collect(collected chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		collected <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	for _, b := range o.all() {
		counts := b.opened.Counts()
		gauge(o.entries, float64(counts.Waiting), b.label.provider, b.label.scheme, string(inbox.Waiting))
		gauge(o.entries, float64(counts.Dead), b.label.provider, b.label.scheme, string(inbox.Dead))
		gauge(o.oldest, counts.Oldest.Seconds(), b.label.provider, b.label.scheme)
		gauge(o.bytes, float64(counts.Bytes), b.label.provider, b.label.scheme)
	}
}

// Interface guards
var _ prometheus.Collector = (*openInboxes)(nil)
