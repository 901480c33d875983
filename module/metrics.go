package module

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hooklatch/hooklatch/module/internal/bodies"
	"github.com/hooklatch/hooklatch/module/replay"
)

// series are the metrics of this process, in the registry of every
// configuration. Caddy makes a registry for each configuration, and its admin
// endpoint may keep showing the registry of one that failed to load. Metrics
// that belonged to one configuration would start again at every reload, and
// disappear after a failed one although the gateway still runs.
var series = newMetrics()

// metrics are the series that the handlers share. Their labels are from the
// configuration and from fixed lists; no sender chooses one.
type metrics struct {
	requests       *requestsTotal
	verifyDuration *prometheus.HistogramVec
	deliveryAge    *prometheus.HistogramVec
	bodyBytes      *prometheus.HistogramVec
	keyMatches     *prometheus.CounterVec
	bufferedBytes  prometheus.GaugeFunc

	replayEvictions *prometheus.CounterVec
	replayErrors    *prometheus.CounterVec
	replayDuration  *prometheus.HistogramVec
	histories       *openHistories

	lastAccepted *lastAccepted
	inboxes      inboxMetrics
}

// label holds the labels that all series of a handler have.
type label struct{ provider, scheme string }

func (l label) compare(other label) int {
	return cmp.Or(strings.Compare(l.provider, other.provider), strings.Compare(l.scheme, other.scheme))
}

// histogram returns a series that is created by its first observation. A
// histogram has a series for each bucket, which would be wasted on a label
// without observations.
type histogram func() prometheus.Observer

func lazily(vec *prometheus.HistogramVec, values ...string) histogram {
	return sync.OnceValue(func() prometheus.Observer { return vec.WithLabelValues(values...) })
}

func (h histogram) observe(value float64) { h().Observe(value) }

const (
	metricsNamespace = "caddy"
	metricsSubsystem = "verify_webhook"
)

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help,
		}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: name, Help: help, Buckets: buckets,
		}, labels)
	}
	return &metrics{
		requests: newRequestsTotal(),
		verifyDuration: histogram("verify_duration_seconds",
			"Time from the end of the body to the verdict, the look at the replay history included.",
			prometheus.ExponentialBuckets(10e-6, 4, 10), "provider", "scheme"), // 10 µs to 2.6 s
		deliveryAge: histogram("delivery_age_seconds",
			"Age of the signed send time of verified deliveries, stale ones too; 0 for what is ahead of the clock.",
			[]float64{1, 5, 15, 60, 2 * 60, 5 * 60, 15 * 60, 3600, 4 * 3600, 24 * 3600}, "provider", "scheme"),
		bodyBytes: histogram("body_bytes",
			"Size of bodies that arrived whole.",
			prometheus.ExponentialBuckets(256, 4, 9), "provider", "scheme"), // to 16 MiB
		keyMatches: counter("key_matches_total",
			"Verified deliveries by the position of the secret that matched; 1 is the first.", "provider", "scheme", "key"),
		bufferedBytes: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: metricsNamespace, Subsystem: metricsSubsystem, Name: "buffered_bytes",
			Help: "Bytes of bodies that the process holds; max_buffered limits them.",
		}, func() float64 { return float64(bodies.InUse().Bodies) }),
		replayEvictions: counter("replay_evictions_total",
			"Entries of delivered events that made room in a full history before they expired.", "provider", "scheme", "store"),
		replayErrors: counter("replay_errors_total",
			"Failures of the replay store, those that on_error forward passes over too.", "provider", "scheme", "store"),
		replayDuration: histogram("replay_duration_seconds",
			"Time that the replay store takes to reserve, record or release a delivery.",
			prometheus.ExponentialBuckets(1e-6, 4, 12), "provider", "scheme", "store"), // 1 µs to 4.2 s
		histories: newOpenHistories(),

		lastAccepted: newLastAccepted(),
		inboxes:      newInboxMetrics(),
	}
}

// register adds the series to the registry of a configuration.
func (m *metrics) register(registry *prometheus.Registry) error {
	for _, c := range append(m.inboxes.collectors(),
		m.requests, m.verifyDuration, m.deliveryAge, m.bodyBytes, m.keyMatches, m.bufferedBytes,
		m.replayEvictions, m.replayErrors, m.replayDuration, m.histories, m.lastAccepted,
	) {
		err := registry.Register(c)
		if known, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok && known.ExistingCollector == c {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// recorder counts the requests of one handler. It looks its counters up once,
// when the configuration loads. They exist from the beginning, so that the
// first event of a kind shows as an increase, and counting is only an addition.
// A nil recorder counts nothing.
type recorder struct {
	requests *requestCounts
	keys     []prometheus.Counter
	moreKeys func(number int) prometheus.Counter // of a secret that only some tenants have

	verifyDuration, deliveryAge, bodyBytes histogram
}

// recorder returns the recorder of a handler with a number of secrets.
func (m *metrics) recorder(l label, secrets int, observes bool) *recorder {
	r := &recorder{
		requests:       m.requests.of(requestLabel{l, observes}),
		verifyDuration: lazily(m.verifyDuration, l.provider, l.scheme),
		deliveryAge:    lazily(m.deliveryAge, l.provider, l.scheme),
		bodyBytes:      lazily(m.bodyBytes, l.provider, l.scheme),
	}
	r.moreKeys = func(number int) prometheus.Counter {
		return m.keyMatches.WithLabelValues(l.provider, l.scheme, strconv.Itoa(number))
	}
	for i := range secrets {
		r.keys = append(r.keys, r.moreKeys(i+1))
	}
	return r
}

// ended counts a request by its result.
func (r *recorder) ended(o result) {
	if r != nil {
		r.requests.add(o)
	}
}

// arrived measures a body that has arrived whole.
func (r *recorder) arrived(size int) {
	if r != nil {
		r.bodyBytes.observe(float64(size))
	}
}

// verified counts the position of the secret that matched, from 1, and measures
// the age of the send time if there is one. A send time ahead of the clock
// counts as age 0, because a negative value would reduce the sum of the
// histogram, which may only grow.
func (r *recorder) verified(d *delivery) {
	if r == nil {
		return
	}
	if d.secret <= len(r.keys) {
		r.keys[d.secret-1].Inc()
	} else {
		r.moreKeys(d.secret).Inc()
	}
	if !d.sentAt.IsZero() {
		r.deliveryAge.observe(max(0, d.age()).Seconds())
	}
}

// judged measures the time from the end of the body to the verdict, if there
// was a body.
func (r *recorder) judged(d *delivery, now func() time.Time) {
	if r == nil || d.arrived.IsZero() {
		return
	}
	if d.judged.IsZero() {
		d.judged = now()
	}
	r.verifyDuration.observe(d.judged.Sub(d.arrived).Seconds())
}

// storeRecorder measures the replay store of a handler. A nil storeRecorder
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

// evicted counts entries that were evicted before they expired.
func (r *storeRecorder) evicted(entries int) {
	if r != nil {
		r.metrics.replayEvictions.WithLabelValues(r.label.provider, r.label.scheme, r.store).Add(float64(entries))
	}
}

// watch adds the number of entries in a history to the metrics until unwatch is
// called. A history that knows the number also reports evictions; Redis evicts
// by itself and tells no client.
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

// openHistories shows the number of entries in the open histories. It asks them
// at every scrape. During a reload the old and the new configuration have the
// same history open; only the one that was opened last is asked.
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

// Collect asks the histories. It leaves out one that does not know its number.
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
