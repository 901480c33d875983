package module

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// recorder counts what one handler does. Its counters are looked up once, when
// the configuration loads: they are there from the beginning, so that the first
// event of a kind is an increase, and counting is an addition. A nil recorder
// counts nothing.
type recorder struct {
	requests *requestCounts
	keys     []prometheus.Counter

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
	for i := range secrets {
		r.keys = append(r.keys, m.keyMatches.WithLabelValues(l.provider, l.scheme, strconv.Itoa(i+1)))
	}
	return r
}

// ended counts a request by what became of it.
func (r *recorder) ended(o result) {
	if r != nil {
		r.requests.add(o)
	}
}

// arrived measures a body that is there whole.
func (r *recorder) arrived(size int) {
	if r != nil {
		r.bodyBytes.observe(float64(size))
	}
}

// verified counts the secret that matched, from 1, and measures the age of the
// send time if there is one. What is ahead of the clock has no age: a negative
// one would take from the sum, which only grows.
func (r *recorder) verified(d *delivery) {
	if r == nil {
		return
	}
	r.keys[d.secret-1].Inc()
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
