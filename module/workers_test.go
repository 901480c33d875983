package module

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hooklatch/hooklatch/module/replay"
)

// TestWorkers checks that a worker is reused, that one whose function ends its
// goroutine is not, that no more than mostWaiting wait, and that they end when
// there is nothing to do.
func TestWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := workers{next: make(chan func())}
		expectWaiting := func(want int32) {
			t.Helper()
			synctest.Wait()
			if got := w.waiting.Load(); got != want {
				t.Errorf("%d workers wait, want %d", got, want)
			}
		}
		w.start(func() {})
		expectWaiting(1)
		release := make(chan struct{})
		w.start(func() { <-release })
		expectWaiting(0)
		close(release)
		expectWaiting(1)
		w.start(runtime.Goexit)
		expectWaiting(0)

		release = make(chan struct{})
		ran := make(chan struct{}, 2*mostWaiting)
		for range cap(ran) {
			w.start(func() {
				<-release
				ran <- struct{}{}
			})
		}
		expectWaiting(0)
		close(release)
		expectWaiting(mostWaiting)
		if len(ran) != cap(ran) {
			t.Errorf("%d functions ran", len(ran))
		}
		time.Sleep(longestWait)
		expectWaiting(0)
	})
}

// TestInboxNeedsNoTimers checks that a history that answers at once gets no
// deadline, even with an inbox before it.
func TestInboxNeedsNoTimers(t *testing.T) {
	g := newKeeper(t, nil, nil, answering(http.StatusNoContent))
	g.handler.history.opened = noDeadlines{g.handler.history.opened, t}
	expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	g.expectDelivered(t, body)
}

// noDeadlines is a history that answers at once and expects no deadline.
type noDeadlines struct {
	replay.History
	t *testing.T
}

func (noDeadlines) AnswersAtOnce() {}

func (n noDeadlines) Reserve(ctx context.Context, e replay.Event) (replay.Reservation, replay.Status, error) {
	if _, limited := ctx.Deadline(); limited {
		n.t.Error("its call has a deadline")
	}
	return n.History.Reserve(ctx, e)
}
