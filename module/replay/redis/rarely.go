package redis

import (
	"sync"
	"time"
)

// rarely counts what happens and lets it be said once a minute at most.
type rarely struct {
	mu     sync.Mutex
	unsaid int
	said   time.Time
}

const sayEvery = time.Minute

// happened counts one more, and tells whether to say so now and how many there
// were since the last time.
func (r *rarely) happened(now time.Time) (times int, say bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsaid++
	if !r.said.IsZero() && now.Sub(r.said) < sayEvery {
		return 0, false
	}
	times, r.unsaid, r.said = r.unsaid, 0, now
	return times, true
}

// ever tells whether anything has happened.
func (r *rarely) ever() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.said.IsZero()
}
