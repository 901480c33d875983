package module

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// recorder counts what one handler does. Its series are looked up once, when
// the configuration loads: they are there from the beginning, so that the first
// event of a kind is an increase, and counting is an addition. A nil recorder
// counts nothing.
type recorder struct {
	requests map[result]prometheus.Counter
	keys     []prometheus.Counter

	verifyDuration, deliveryAge, bodyBytes prometheus.Observer
}

// result is what requests are counted by.
type result struct {
	verdict verdict
	reason  Reason
}

// results are all that there are.
func results() []result {
	all := []result{{accepted, ""}, {accepted, noAnswer}, {duplicateBefore, conflict}}
	for reason := range statuses {
		if reason == duplicate {
			all = append(all, result{duplicateBefore, reason})
		} else {
			all = append(all, result{rejected, reason})
		}
	}
	return all
}

// recorder gives the recorder of a handler with a number of secrets. What is
// observed and not enforced is counted apart, under verdicts of other names.
func (m *metrics) recorder(provider string, secrets int, observes bool) *recorder {
	r := &recorder{
		requests:       map[result]prometheus.Counter{},
		verifyDuration: m.verifyDuration.WithLabelValues(provider),
		deliveryAge:    m.deliveryAge.WithLabelValues(provider),
		bodyBytes:      m.bodyBytes.WithLabelValues(provider),
	}
	for _, o := range results() {
		name := string(o.verdict)
		if observes && o.verdict != accepted {
			name = observed + name
		}
		r.requests[o] = m.requests.WithLabelValues(provider, name, string(o.reason))
	}
	for i := range secrets {
		r.keys = append(r.keys, m.keyMatches.WithLabelValues(provider, strconv.Itoa(i+1)))
	}
	return r
}

// ended counts a request by what became of it.
func (r *recorder) ended(o result) {
	if r == nil {
		return
	}
	if c := r.requests[o]; c != nil {
		c.Inc()
	}
}

// arrived measures a body that is there whole.
func (r *recorder) arrived(size int) {
	if r != nil {
		r.bodyBytes.Observe(float64(size))
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
		r.deliveryAge.Observe(max(0, d.age()).Seconds())
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
	r.verifyDuration.Observe(d.judged.Sub(d.arrived).Seconds())
}
