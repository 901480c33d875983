package module

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// driftAt is how many well-formed deliveries in a row must fail to verify
// before the event webhook_drift is emitted.
const driftAt = 20

// lastAccepted shows when each label last accepted a delivery, and how many
// well-formed deliveries have failed to verify since the last one that did. It
// is for alerts on silence and on a secret that no longer matches.
type lastAccepted struct {
	accepted, inARow *prometheus.Desc

	mu     sync.Mutex
	labels map[label]*labelState
}

// labelState is the state of one label. Handlers with the same label share it.
type labelState struct {
	acceptedAt atomic.Int64 // Unix milliseconds; at first, when the label was loaded

	mu     sync.Mutex
	inARow map[string]int // by tenant; without tenants under no name
}

func newLastAccepted() *lastAccepted {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(metricsNamespace, metricsSubsystem, name), help, []string{"provider", "scheme"}, nil)
	}
	return &lastAccepted{
		accepted: desc("last_accepted_timestamp_seconds",
			"When a delivery was last accepted; before the first one, when the label was first loaded."),
		inARow: desc("refused_in_a_row",
			"Well-formed deliveries whose signature did not match since the last one that did."),
		labels: map[label]*labelState{},
	}
}

// of returns the state of a label.
func (s *lastAccepted) of(l label, now time.Time) *labelState {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, known := s.labels[l]
	if !known {
		state = &labelState{inARow: map[string]int{}}
		state.acceptedAt.Store(now.UnixMilli())
		s.labels[l] = state
	}
	return state
}

// ended counts a delivery, and reports whether the number of failures in a row
// has just reached driftAt. Only deliveries whose body has arrived count,
// because their signature is well-formed. What names no
// tenant that there is counts for none.
func (s *labelState) ended(d *delivery) (drift bool) {
	switch {
	case d.verified:
		s.endRun(d.tenant)
		if d.verdict == accepted {
			s.acceptedAt.Store(d.now.UnixMilli())
		}
	case d.verdict == rejected && !d.arrived.IsZero() && d.reason != unknownTenant:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.inARow[d.tenant]++
		return s.inARow[d.tenant] == driftAt
	}
	return false
}

func (s *labelState) endRun(tenant string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.inARow, tenant)
}

// longestRun is that of the tenant that has most.
func (s *labelState) longestRun() (most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.inARow {
		most = max(most, n)
	}
	return most
}

// Describe names the metrics.
func (s *lastAccepted) Describe(descs chan<- *prometheus.Desc) {
	descs <- s.accepted
	descs <- s.inARow
}

// Collect shows them.
func (s *lastAccepted) Collect(collected chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range slices.Collect(maps.Keys(s.labels)) {
		state := s.labels[l]
		const milli = 1e-3
		collected <- prometheus.MustNewConstMetric(s.accepted, prometheus.GaugeValue, float64(state.acceptedAt.Load())*milli, l.provider, l.scheme)
		collected <- prometheus.MustNewConstMetric(s.inARow, prometheus.GaugeValue, float64(state.longestRun()), l.provider, l.scheme)
	}
}

// Interface guards
var _ prometheus.Collector = (*lastAccepted)(nil)
