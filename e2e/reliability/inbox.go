package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// condition is how an application with an inbox before it fares.
type condition int32

const (
	up      condition = iota
	down              // answers 503
	resets            // resets the connection, before it has the delivery
	dawdles           // takes the delivery after the sender has been answered
	conditions
)

// after is how long an application has before its delivery is kept.
const after = 200 * time.Millisecond

// taker is an application that knows which process of the gateway gave it what.
// The gateway says that in a header.
type taker struct {
	*application
	condition atomic.Int32
	// work, if set, is done for each delivery that is taken.
	work func()

	mu    sync.Mutex
	takes map[uint64]take // by number
	order []take          // as they came, with repetitions
	again map[string]int  // by process, deliveries of it that a later one repeated
	twice int             // deliveries that a process gave more than once
	wrong int             // deliveries without the signature of their body
}

// take is a delivery that an application took.
type take struct {
	n       uint64
	process string
	attempt string // Webhook-Attempt
}

// processHeader names the process of the gateway that a delivery comes from.
const processHeader = "X-Process"

func startTaker(path string) (*taker, error) {
	app, err := startApplication(path)
	if err != nil {
		return nil, err
	}
	t := &taker{application: app, takes: map[uint64]take{}, again: map[string]int{}}
	behave := t.serve
	app.behave.Store(&behave)
	return t, nil
}

func (t *taker) set(c condition) { t.condition.Store(int32(c)) }

func (t *taker) serve(w http.ResponseWriter, r *http.Request) {
	switch condition(t.condition.Load()) {
	case down:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case resets:
		hijack(w, reset)
		return
	case dawdles:
		time.Sleep(after * 3 / 2)
	}
	d, ok := t.receive(r.Body)
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable) // a body that broke off is attempted again
		return
	}
	t.note(d, r.Header)
	if t.work != nil {
		t.work()
	}
	w.WriteHeader(http.StatusNoContent)
}

func (t *taker) note(d delivery, header http.Header) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if header.Get("X-Craneops-Signature") != signature(d.n, d.size) {
		t.wrong++
	}
	now := take{d.n, header.Get(processHeader), header.Get("Webhook-Attempt")}
	before, taken := t.takes[d.n]
	switch {
	case taken && before.process == now.process:
		t.twice++
	case taken:
		t.again[before.process]++
	}
	t.takes[d.n] = now
	t.order = append(t.order, now)
}

// taken is how many deliveries there have been.
func (t *taker) taken() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.takes)
}

// most is the largest number of deliveries of one process that later ones
// repeated.
func (t *taker) most() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Max(append(slices.Collect(maps.Values(t.again)), 0))
}

// sound says that nothing was lost or changed, and that no process gave anything
// twice.
func (t *taker) sound() bool {
	fates := t.tally()
	t.mu.Lock()
	defer t.mu.Unlock()
	return fates.accepted > 0 && fates.lost == 0 && fates.foreign == 0 && t.twice == 0 && t.wrong == 0
}

func (t *taker) String() string {
	fates := t.tally()
	t.mu.Lock()
	defer t.mu.Unlock()
	again := 0
	for _, n := range t.again {
		again += n
	}
	return fmt.Sprintf("%d answered 2xx, lost %d, changed %d, repeated by a later process %d, by the same one %d",
		fates.accepted, fates.lost, fates.foreign+t.wrong, again, t.twice)
}

// boxed is the folder of an inbox and the options for it.
type boxed struct{ dir string }

func newBoxed() (boxed, error) {
	dir, err := os.MkdirTemp("", "hooklatch-inbox-")
	return boxed{dir}, err
}

func (b boxed) remove() { _ = os.RemoveAll(b.dir) }

func (b boxed) file() string { return filepath.Join(b.dir, "inbox.db") }

// options are those of a verify_webhook with this inbox, and a history that
// survives with it. A mode of rescue needs nothing else.
func (b boxed) options(more ...string) []string { return []string{b.history(), b.inbox(more...)} }

func (b boxed) history() string { return "replay file " + filepath.Join(b.dir, "history.db") }

func (b boxed) inbox(more ...string) string {
	return fmt.Sprintf("inbox file %s {\n\t\t\t\tretry 50ms 500ms\n\t\t\t\t%s\n\t\t\t}", b.file(), strings.Join(more, "\n\t\t\t\t"))
}

// startBoxed makes an inbox and starts an application for it. Call end after both.
func startBoxed() (box boxed, app *taker, end func(), err error) {
	if box, err = newBoxed(); err != nil {
		return box, nil, nil, err
	}
	if app, err = startTaker("/hook"); err != nil {
		box.remove()
		return box, nil, nil, err
	}
	return box, app, func() {
		app.stop()
		box.remove()
	}, nil
}

func rescuing(more ...string) []string { return append(more, "after "+after.String()) }

func always(more ...string) []string { return append(more, "mode always") }

// namesProcess has the gateway name its process.
var namesProcess = []string{"header_up " + processHeader + " {env.PROCESS}"}

// process is the variable that namesProcess sends.
func process(n int) string { return fmt.Sprintf("PROCESS=%d", n) }

// waiting is how many deliveries the gateway says that wait.
func (g *gateway) waiting(ctx context.Context) (int, error) {
	n, err := g.metric(ctx, "inbox_entries", `state="waiting"`)
	return int(n), err
}

// drained waits until nothing is in the inbox, and gives up when that does not
// come nearer. It returns how many deliveries wait or are dead then. Meanwhile it
// calls the functions.
func (g *gateway) drained(ctx context.Context, meanwhile ...func()) (left int, err error) {
	fewest, end := -1, time.Now()
	for {
		for _, look := range meanwhile {
			look()
		}
		n, err := g.metric(ctx, "inbox_entries")
		left = int(n)
		if fewest < 0 || left < fewest {
			fewest, end = left, time.Now().Add(patience/2)
		}
		if err != nil || left == 0 || time.Now().After(end) {
			return left, err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// awaitWaiting waits until so many deliveries wait.
func (g *gateway) awaitWaiting(ctx context.Context, n int) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		waiting, err := g.waiting(ctx)
		if err != nil || waiting >= n {
			return err
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return fmt.Errorf("there are never %d deliveries that wait", n)
}

// sendAll delivers so many, each until it is accepted, and reports how long the
// attempts took.
func sendAll(ctx context.Context, g *gateway, a *application, p protocol, senders, n, size int) (served, error) {
	var sent atomic.Int64
	t := &traffic{gateway: g, application: a, protocol: p, size: size, retry: 5 * time.Millisecond, served: served{refused: map[string]int{}}}
	began := time.Now()
	for range senders {
		t.group.Go(func() {
			c := g.client(p)
			defer c.close()
			for sent.Add(1) <= int64(n) && ctx.Err() == nil {
				t.deliver(ctx, c, a.next(size))
			}
		})
	}
	t.group.Wait()
	t.served.elapsed = time.Since(began)
	slices.Sort(t.served.took)
	if t.served.gaveUp > 0 {
		return t.served, fmt.Errorf("%d deliveries were never accepted: %v", t.served.gaveUp, t.served)
	}
	return t.served, ctx.Err()
}

// median is how long half of the accepted attempts took at most.
func (s served) median() time.Duration {
	if len(s.took) == 0 {
		return 0
	}
	return s.took[len(s.took)/2]
}
