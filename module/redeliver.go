package module

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/bodies"
	"github.com/hooklatch/hooklatch/module/replay"
)

// redeliveries is the scheduler of a label's inbox in one configuration: one
// goroutine takes what is due and starts its attempts.
type redeliveries struct {
	cancel context.CancelFunc // nil before it has begun
	ended  chan struct{}

	mu       sync.Mutex
	running  int
	removing int       // deliveries that the application has taken and the disk still holds
	failures int       // failed attempts in a row; if there are any, attempts run one at a time
	resume   time.Time // when the next attempt may begin after failures
}

// unhurried is how many attempts must fail in a row before the pause between
// attempts is as long as the first wait of an entry. Until then the pause
// doubles, so that a few deliveries that fail by themselves barely delay the
// others.
const unhurried = 7

// removalsEach is how many deliveries may wait for their removal for each attempt
// that runs. What waits together is removed with one sync of the disk, so the
// application need not wait for that. But a crash repeats these deliveries.
const removalsEach = 8

// longestAttempt is how long the process waits for running attempts before it
// ends.
const longestAttempt = 2 * time.Minute

// The longest time that the scheduler waits before it looks again.
const (
	lookEvery     = time.Minute            // for entries that are too old
	lookForActive = 100 * time.Millisecond // until the configuration is the active one
	lookForRoom   = time.Second            // when there is no memory or the store fails
)

// start starts the scheduler.
func (b *labelInbox) start() {
	var ctx context.Context
	ctx, b.trying.cancel = context.WithCancel(context.Background())
	b.trying.ended = make(chan struct{})
	go func() {
		defer close(b.trying.ended)
		b.schedule(ctx)
	}()
}

// stop stops the scheduler. Attempts that are running go on.
func (b *labelInbox) stop() {
	if b.trying.cancel != nil {
		b.trying.cancel()
		<-b.trying.ended
	}
}

// schedule attempts the deliveries that are due until the context ends. It does
// nothing before its configuration is active, because the configuration may
// still fail to start, and nothing after another one has become active.
func (b *labelInbox) schedule(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-b.wake:
		}
		if ctx.Err() != nil {
			return
		}
		timer.Reset(b.round(ctx))
	}
}

// round starts the attempts that may start now and returns how long to wait for
// the next ones.
func (b *labelInbox) round(ctx context.Context) time.Duration {
	if !b.app.isActive() {
		return lookForActive
	}
	b.expire(ctx)
	if pause := b.trying.pause(); pause > 0 {
		return pause
	}
	for b.trying.begin(b.options.Concurrency) {
		hold, ok, err := b.opened.Take()
		if err != nil || !ok {
			b.trying.end()
			if err != nil {
				b.failed("taking a delivery out of the inbox", err)
				return lookForRoom
			}
			break
		}
		b.shared.acquire()
		go b.attempt(hold) //nolint:gosec // an attempt does not end with the scheduler
	}
	if !b.trying.free(b.options.Concurrency) {
		return lookEvery // the end of an attempt wakes the scheduler
	}
	if wait, ok := b.opened.Next(); ok {
		return min(max(wait, 0), lookEvery)
	}
	return lookEvery
}

// begin takes a place for an attempt, and reports whether one was free.
func (t *redeliveries) begin(most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.freeLocked(most) {
		return false
	}
	t.running++
	return true
}

// freeLocked reports whether an attempt may begin. It is called with the lock held.
func (t *redeliveries) freeLocked(most int) bool {
	return t.running < t.places(most) && t.running+t.removing < most*(1+removalsEach)
}

func (t *redeliveries) places(most int) int {
	if t.failures > 0 {
		return 1
	}
	return most
}

// pause returns how long to wait before the next attempt. It keeps an
// application that is down from being asked without a break when many
// deliveries are due.
func (t *redeliveries) pause() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures == 0 {
		return 0
	}
	return time.Until(t.resume)
}

func (t *redeliveries) free(most int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.freeLocked(most)
}

func (t *redeliveries) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running--
}

// beginRemoval gives the place of an attempt back whose delivery is being removed.
func (t *redeliveries) beginRemoval() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running--
	t.removing++
}

func (t *redeliveries) endRemoval() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removing--
}

// failed records that the application does not take deliveries. first is how
// long an entry waits after its first attempt.
func (t *redeliveries) failed(first time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = min(t.failures+1, unhurried)
	t.resume = time.Now().Add(first >> (unhurried - t.failures))
}

// worked records that the application has taken a delivery. If it had failed
// before, all entries that wait for it become due.
func (t *redeliveries) worked(b *labelInbox) {
	t.mu.Lock()
	recovered := t.failures > 0
	t.failures = 0
	t.mu.Unlock()
	if recovered {
		b.opened.Hurry()
		b.look()
	}
}

// expire gives up the entries that have waited for too long.
func (b *labelInbox) expire(ctx context.Context) {
	for {
		died, removed, err := b.opened.Expire(ctx, time.Duration(b.options.Keep), time.Duration(b.options.Dead))
		if err != nil {
			b.failed("giving up what is too old in the inbox", err)
			return
		}
		for _, e := range died {
			b.forget(ctx, e.Keys.Content)
			b.tell("webhook_dead", &e, e.Last.Attempts, 0)
			b.logger.Error("a delivery in the inbox is dead, because the application has not taken it within keep; webhook inbox retry attempts it again",
				zap.String("provider", b.label.provider), zap.String("id", e.Facts.ID), zap.Int("attempts", e.Last.Attempts))
		}
		for _, e := range removed {
			b.logger.Error("a dead delivery was removed from the inbox",
				zap.String("provider", b.label.provider), zap.String("id", e.Facts.ID))
		}
		if len(died)+len(removed) == 0 {
			return
		}
	}
}

// attempt hands a delivery to the application again.
func (b *labelInbox) attempt(hold inbox.Hold) {
	defer b.shared.release()
	a := &redelivery{inbox: b, hold: hold, delivery: deliveryOf(hold.Entry())}
	a.delivery.inbox = b
	defer a.leave()
	if !a.readBody() || !a.reserve() {
		return
	}
	e := hold.Entry()
	err := b.app.enter(context.Background(), &reentry{
		label: e.Owner.Provider, scheme: e.Owner.Scheme, stored: e.Request, body: a.delivery.body.Buffer.Bytes(), arrive: a.arrive,
	})
	if err != nil {
		a.end(attempt{detail: err.Error()})
	}
}

// redelivery is one attempt for an entry.
type redelivery struct {
	inbox       *labelInbox
	hold        inbox.Hold
	delivery    *delivery
	reservation replay.Reservation // nil without one, such as when the history has the event
	removed     <-chan struct{}    // closed once the entry is removed; nil if the application has not taken it
}

// leave ends an attempt. Its place is free for the next one while the entry is
// removed.
func (a *redelivery) leave() {
	b := a.inbox
	a.delivery.body.End()
	defer b.look()
	if a.removed == nil {
		a.hold.Release() // whatever happened; an outcome came before
		b.trying.end()
		return
	}
	b.trying.beginRemoval()
	defer b.trying.endRemoval()
	b.look()
	<-a.removed
}

// readBody reads the body into memory that counts against the budget. It
// reports false if it cannot, such as when there is no room. That does not
// count as an attempt.
func (a *redelivery) readBody() bool {
	size := a.hold.Entry().Size
	stored, err := a.hold.Body()
	if err == nil {
		defer func() { _ = stored.Close() }() // it was only read
		err = a.delivery.body.Buffer.ReadAll(stored, bodies.Limits{Declared: size, Most: size, Budget: a.inbox.app.budget}, io.Discard)
	}
	if err == nil {
		a.delivery.body.Arrived()
		return true
	}
	ctx, cancel := storeContext(context.Background())
	defer cancel()
	switch result := (inbox.Outcome{Attempts: a.delivery.attempt - 1, Status: a.hold.Entry().Last.Status, Error: err.Error()}); {
	case errors.Is(err, inbox.ErrDamaged):
		a.inbox.die(ctx, a.hold, result)
	default:
		if !errors.Is(err, bodies.ErrOverloaded) {
			a.inbox.failed("reading a delivery in the inbox", err)
		}
		a.wait(ctx)
	}
	return false
}

// wait makes the entry wait for a moment without counting an attempt.
func (a *redelivery) wait(ctx context.Context) {
	if err := a.hold.Later(ctx, a.hold.Entry().Last, lookForRoom); err != nil {
		a.inbox.failed("putting off an attempt", err)
	}
}

// reserve claims the event in the history if the history has forgotten it. It
// reports false if another gateway is handling the event. A history that fails
// does not stop the attempt.
func (a *redelivery) reserve() bool {
	ctx, cancel := storeContext(context.Background())
	defer cancel()
	reservation, status, err := a.inbox.history.Reserve(ctx, a.hold.Entry().Keys)
	switch {
	case err != nil:
		a.inbox.failed("asking the history before an attempt", err)
	case status == replay.Reserved:
		a.reservation = reservation
	case status == replay.InFlight:
		a.wait(ctx)
		return false
	}
	return true
}

// arrive passes the delivery to the handlers after the one of its label.
func (a *redelivery) arrive(h *Handler, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	d := a.delivery
	d.handler, d.next, d.request, d.began = h, next, r, h.now()
	d.size = d.body.Size()
	stripForged(r, h.headerOptions, h.stayNames)
	h.recordVerdict(r, d, accepted, nil)
	h.setUpstreamHeaders(r.Header, d, make([]string, 0, maxHeaders))
	d.setAttempt(r.Header, a.hold.Entry().ReceivedAt)
	k := &keeping{attempts: d.attempt, hold: a.hold, kept: make(chan struct{})}
	close(k.kept)
	defer func() { a.removed = k.removed }() // also if a handler ends the goroutine
	k.f = &forwarding{handler: h, delivery: d, reservation: a.reservation, keeping: k}
	k.f.begin(w, r)
	k.conclude(k.f.run(next, k.f.lend(k.f.ctx, r)))
	a.inbox.record.attempted(k.outcome, a.inbox)
	d.setInboxField(r, k.outcome.name(a.inbox))
	d.list(0, k.outcome.status) // its sender was answered long ago
	return nil
}

// end stores the outcome of an attempt that did not reach the application.
func (a *redelivery) end(o attempt) {
	ctx, cancel := storeContext(context.Background())
	defer cancel()
	if a.reservation != nil {
		if err := a.reservation.Release(ctx); err != nil {
			a.inbox.failed("releasing a delivery", err)
		}
	}
	a.inbox.again(ctx, a.hold, a.delivery.attempt, o)
	a.inbox.record.attempted(o, a.inbox)
}
