package redis

import (
	"sync"
	"time"
)

// logLimiter counts events and lets them be logged once a minute at most.
type logLimiter struct {
	mu     sync.Mutex
	unsaid int
	said   time.Time
}

const sayEvery = time.Minute

// happened counts an event. It reports whether to log now, and how many events
// there were since the last log.
func (r *logLimiter) happened(now time.Time) (times int, say bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsaid++
	if !r.said.IsZero() && now.Sub(r.said) < sayEvery {
		return 0, false
	}
	times, r.unsaid, r.said = r.unsaid, 0, now
	return times, true
}

// ever reports whether anything has happened.
func (r *logLimiter) ever() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.said.IsZero()
}
