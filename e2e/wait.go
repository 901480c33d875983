package e2e

import (
	"sync"
	"testing"
	"time"
)

// patience bounds every wait. It is long, because only a failing test waits for
// it to the end. It is shorter than the minute after which Caddy gives up on a
// client that sends nothing, so that a test sees when an answer comes only then.
const patience = 45 * time.Second

// notice tells whoever waits that something has changed.
type notice struct {
	mu sync.Mutex
	ch chan struct{}
}

// next is closed at the next change.
func (n *notice) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch == nil {
		n.ch = make(chan struct{})
	}
	return n.ch
}

func (n *notice) raise() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ch != nil {
		close(n.ch)
		n.ch = nil
	}
}

// await returns once done holds; it looks again at every notice.
func await(t *testing.T, n *notice, what string, done func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		changed := n.next()
		if done() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}

// poll is for states that only asking shows.
func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}
