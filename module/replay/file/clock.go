package file

import (
	"sync/atomic"
	"time"
)

// clock is the time that entries expire by, in Unix milliseconds. It never goes
// back, because what is forgotten too early could be replayed: while the file
// is open it goes with the monotonic clock, so that setting the machine's clock
// changes nothing, and at opening it goes on from the machine's time or from
// the last one that the file has seen, whichever is later.
type clock struct {
	source func() time.Time
	began  time.Time
	base   int64
	latest atomic.Int64
}

// start starts a clock at the time that a file has seen last.
func (c *clock) start(source func() time.Time, seen int64) {
	c.source = source
	c.began = source()
	c.base = max(c.began.UnixMilli(), seen)
}

func (c *clock) now() int64 {
	at := c.base + c.source().Sub(c.began).Milliseconds()
	for {
		latest := c.latest.Load()
		if at <= latest {
			return latest
		}
		if c.latest.CompareAndSwap(latest, at) {
			return at
		}
	}
}
