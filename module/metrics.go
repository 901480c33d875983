package module

import (
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// series are the metrics of this process, in the registry of every
// configuration. Caddy makes a registry for each, and its admin endpoint keeps
// showing that of a configuration that failed to load: what belonged to one
// configuration would begin anew with every reload, and be gone with a failed
// one, when the gateway still runs.
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
}

// label is what all series of a handler have in common.
type label struct{ provider, scheme string }

// histogram returns a series on its first observation. A histogram has a series
// for each bucket, which a label that nothing has happened to should not cost.
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
		}, func() float64 { return float64(bufferedBytes()) }),
		replayEvictions: counter("replay_evictions_total",
			"Entries of delivered events that made room in a full history before they expired.", "provider", "scheme", "store"),
		replayErrors: counter("replay_errors_total",
			"Failures of the replay store, those that on_error forward passes over too.", "provider", "scheme", "store"),
		replayDuration: histogram("replay_duration_seconds",
			"Time that the replay store takes to reserve, record or release a delivery.",
			prometheus.ExponentialBuckets(1e-6, 4, 12), "provider", "scheme", "store"), // 1 µs to 4.2 s
		histories: newOpenHistories(),
	}
}

// register has the series shown by a configuration's registry.
func (m *metrics) register(registry *prometheus.Registry) error {
	for _, c := range []prometheus.Collector{
		m.requests, m.verifyDuration, m.deliveryAge, m.bodyBytes, m.keyMatches, m.bufferedBytes,
		m.replayEvictions, m.replayErrors, m.replayDuration, m.histories,
	} {
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
