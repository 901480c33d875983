package file

import (
	"sync/atomic"
	"time"
)

// timeSource is the source of time.
type timeSource struct {
	// now returns the machine's time, which may be changed at any moment.
	now func() time.Time
	// elapsed returns how much time has passed, whatever the machine's time is set
	// to.
	elapsed func() time.Duration
}

func machineTime() timeSource {
	began := time.Now()
	return timeSource{now: time.Now, elapsed: func() time.Duration { return time.Since(began) }}
}

// clock is a time in milliseconds that never goes back. While the file is open,
// it advances as time passes, so that setting the machine's clock changes
// nothing.
type clock struct {
	elapsed func() time.Duration
	began   time.Duration
	base    int64
	latest  atomic.Int64
}

// start starts a clock at a time that was stored in the file.
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

// clocks are the two clocks of a file. The open clock decides which entries
// have waited or been dead for too long. It stops while the file is closed:
// when the file is opened, it continues at the time of the last commit, because
// time in which no gateway could deliver must not make an entry dead. The wall
// clock decides which entries are due. When the file is opened, it continues at
// the machine's time if that is later, so that a pause that has passed does not
// begin again.
type clocks struct{ open, wall clock }

func (c *clocks) start(source timeSource, openSeen, wallSeen int64) {
	c.open.start(source, openSeen)
	c.wall.start(source, max(source.now().UnixMilli(), wallSeen))
}
