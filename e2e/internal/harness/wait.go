package harness

import (
	"sync"
	"testing"
	"time"
)

// Patience bounds every wait. It is long, because only a failing test waits for
// it to the end. It is shorter than the minute after which Caddy gives up on a
// silent client, so that a test fails if the answer arrives only then.
const Patience = 45 * time.Second

// Notice wakes waiting goroutines after a change.
type Notice struct {
	mu sync.Mutex
	ch chan struct{}
}

// Next returns a channel that is closed at the next change.
func (n *Notice) Next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

// Raise wakes all waiting goroutines.
func (n *Notice) Raise() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}

// Await waits until done returns true. It checks after every notice.
func Await(t *testing.T, n *Notice, what string, done func() bool) {
	t.Helper()
	deadline := time.After(Patience)
	for {
		changed := n.Next()
		if done() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited %v for %s", Patience, what)
		}
	}
}

// Poll is like Await for a state that gives no notice. It checks repeatedly.
func Poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(Patience)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v for %s", Patience, what)
		}
	}
}
