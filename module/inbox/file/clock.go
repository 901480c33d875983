package file

import (
	"sync/atomic"
	"time"
)

// timeSource is where time comes from.
type timeSource struct {
	// now is the machine's time, which may be set at any moment.
	now func() time.Time
	// elapsed grows as time goes by, whatever the machine's time is set to.
	elapsed func() time.Duration
}

func machineTime() timeSource {
	began := time.Now()
	return timeSource{now: time.Now, elapsed: func() time.Duration { return time.Since(began) }}
}

// clock is a time in milliseconds that never goes back. While the file is open
// it goes on as time does, so that setting the machine's clock changes nothing.
type clock struct {
	elapsed func() time.Duration
	began   time.Duration
	base    int64
	latest  atomic.Int64
}

// start starts a clock at a time that the file has noted.
func (c *clock) start(source timeSource, base int64) {
	c.elapsed, c.began, c.base = source.elapsed, source.elapsed(), base
	c.latest.Store(base)
}

func (c *clock) now() int64 {
	at := c.base + (c.elapsed() - c.began).Milliseconds()
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

// clocks are the two times of a file. What has waited or been dead for too long
// is told by open, which goes on at an opening where it was at the last commit:
// time in which no gateway could deliver anything must not make anything dead.
// What is due is told by wall, which goes on with the machine's time if that is
// later: a pause that has been long enough need not begin again.
type clocks struct{ open, wall clock }

func (c *clocks) start(source timeSource, openSeen, wallSeen int64) {
	c.open.start(source, openSeen)
	c.wall.start(source, max(source.now().UnixMilli(), wallSeen))
}
