package module

import (
	"sync/atomic"
	"time"
)

// workers run functions in goroutines of their own, as the go statement does. A
// goroutine that is done waits for the next function, because the handlers
// after verify_webhook need a large stack. Growing a new stack for each
// delivery costs as much as everything else in a rescue.
type workers struct {
	next    chan func() // unbuffered: only a waiting worker receives
	waiting atomic.Int32
}

// A worker ends after it has waited for longestWait, or when mostWaiting others
// wait already.
const (
	longestWait = 10 * time.Second
	mostWaiting = 64
)

// rescuers run the handlers for deliveries that can be kept. They belong to no
// configuration.
var rescuers = workers{next: make(chan func())}

// start runs a function in another goroutine.
func (w *workers) start(do func()) {
	select {
	case w.next <- do:
	default:
		go w.work(do)
	}
}

func (w *workers) work(do func()) {
	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	for {
		do() // do may end the goroutine
		if !w.wait() {
			return
		}
		timer.Reset(longestWait)
		select {
		case do = <-w.next:
			w.waiting.Add(-1)
		case <-timer.C:
			w.waiting.Add(-1)
			return
		}
	}
}

// wait counts the worker as waiting, and reports whether it may wait.
func (w *workers) wait() bool {
	if w.waiting.Add(1) > mostWaiting {
		w.waiting.Add(-1)
		return false
	}
	return true
}
