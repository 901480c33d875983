package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestFileKillRounds repeatedly kills the gateway with -9 while eight senders
// deliver, each until it has an answer, and restarts it with the same file.
// HOOKLATCH_KILL_ROUNDS sets the number of rounds; killrounds.sh runs a
// hundred.
//
// The guarantee: a delivery that was acknowledged to its sender has reached the
// application, and is a duplicate from then on. One that was cut off by a kill
// may reach the application twice, if the application had it and the file did
// not yet. No other delivery reaches it twice, and none is lost.
func TestFileKillRounds(t *testing.T) {
	t.Parallel()
	rounds := 3
	if text := os.Getenv("HOOKLATCH_KILL_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	app := harness.NewApplication(t)
	path := filepath.Join(t.TempDir(), "history.db")
	l := &killedLoad{gateway: harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, replayFile(path))), harness.Secrets()...)}
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() { l.deliver(t) })
	}
	for round := range rounds {
		l.awaitAcknowledged(t, (round+1)*40)
		l.gateway.Kill(t)
		l.replace(l.gateway.Restart(t))
	}
	l.finish()
	senders.Wait()
	l.account(t, app, rounds)
}

// killedLoad is the shared state of the senders.
type killedLoad struct {
	notice harness.Notice
	mu     sync.Mutex

	gateway    *harness.Gateway
	generation int
	finished   bool

	sent         int
	acknowledged []string
	cut          map[string]int // attempts that ended without an answer
}

// replace lets the senders continue with a new process after a kill.
func (l *killedLoad) replace(g *harness.Gateway) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gateway = g
	l.generation++
	l.notice.Raise()
}

func (l *killedLoad) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.finished = true
	l.notice.Raise()
}

// next returns the next body, or false at the end.
func (l *killedLoad) next() (body string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	return fmt.Sprintf(`{"n":%d}`, l.sent), !l.finished
}

func (l *killedLoad) current() (*harness.Gateway, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gateway, l.generation
}

func (l *killedLoad) awaitAcknowledged(t *testing.T, n int) {
	t.Helper()
	harness.Await(t, &l.notice, fmt.Sprintf("%d acknowledged deliveries", n), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.acknowledged) >= n
	})
}

// deliver sends one delivery after the other, as a provider does.
func (l *killedLoad) deliver(t *testing.T) {
	for {
		body, ok := l.next()
		if !ok {
			return
		}
		for !l.attempt(t, body) {
		}
	}
}

// attempt sends a delivery once and reports whether it need not be sent again.
func (l *killedLoad) attempt(t *testing.T, body string) (settled bool) {
	g, generation := l.current()
	a, err := harness.SendGo(t, g, harness.CraneOps(body))
	if err != nil {
		l.noteCut(body, err)
		if t.Context().Err() != nil {
			return true
		}
		l.awaitNext(t, generation)
		return false
	}
	if a.Verdict() != "accepted" && a.Verdict() != "duplicate" || a.Status != 200 {
		t.Errorf("%s: answered %d %q %q", body, a.Status, a.Verdict(), a.Reason())
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acknowledged = append(l.acknowledged, body)
	l.notice.Raise()
	return true
}

// noteCut counts an attempt that may have reached the application. If the
// connection was refused, it has not.
func (l *killedLoad) noteCut(body string, err error) {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut == nil {
		l.cut = map[string]int{}
	}
	l.cut[body]++
}

// awaitNext waits for the process after the one that has been killed.
func (l *killedLoad) awaitNext(t *testing.T, generation int) {
	harness.Await(t, &l.notice, "the gateway's next start", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.generation > generation || l.finished
	})
}

// account compares the answers to the senders with the requests at the
// application, and replays everything.
func (l *killedLoad) account(t *testing.T, app *harness.Application, rounds int) {
	t.Helper()
	arrived := func() map[string]int {
		times := map[string]int{}
		for _, r := range app.All() {
			times[string(r.Body)]++
		}
		return times
	}
	times := arrived()
	lost, twice, cut := 0, 0, 0
	for _, n := range l.cut {
		cut += n
	}
	for _, body := range l.acknowledged {
		switch n := times[body]; {
		case n == 0:
			lost++
		case n > 1+l.cut[body]:
			t.Errorf("%s reached the application %d times, and was cut off %d times", body, n, l.cut[body])
		case n > 1:
			twice++
		}
	}
	t.Logf("%d kills: %d deliveries acknowledged, %d cut off by a kill; lost %d, forwarded twice %d",
		rounds, len(l.acknowledged), cut, lost, twice)
	if lost > 0 {
		t.Errorf("%d deliveries were acknowledged and never reached the application", lost)
	}
	before := app.Arrivals()
	for _, body := range l.acknowledged {
		l.gateway.Send(t, harness.CraneOps(body)).Duplicate(t)
	}
	app.Saw(t, before)
}
