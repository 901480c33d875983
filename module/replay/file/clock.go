package file

import (
	"sync/atomic"
	"time"
)

// clock is the time by which entries expire, in Unix milliseconds. It never
// goes back, because an event that is forgotten too early could be replayed.
// While the file is open, it follows the monotonic clock, so that setting the
// machine's clock changes nothing. When the file is opened, it starts at the
// machine's time or at the last time stored in the file, whichever is later.
type clock struct {
	source func() time.Time
	began  time.Time
	base   int64
	latest atomic.Int64
}

// start starts a clock. seen is the last time stored in the file.
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
