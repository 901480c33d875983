package module

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/hooklatch/hooklatch/module/inbox"
)

// keeping is what an inbox adds to a forwarding. The delivery is kept if the
// application does not take it, and the sender then gets an empty 200. Once it
// is kept, an answer is about the entry and not for the sender.
//
// Its gate is held while it is decided who is answered: by WriteHeader, by the
// timer of `after`, and when the handlers have returned.
type keeping struct {
	f        *forwarding
	seen     *http.Request // as verify_webhook saw it
	attempts int           // that there have been, with this one
	gate     sync.Mutex
	hold     inbox.Hold    // the entry; nil until it is kept
	kept     chan struct{} // closed once it is
	outcome  attempt
	removed  chan struct{} // closed once the entry is removed; nil until the application has taken it
}

// attempt is what became of asking the application.
type attempt struct {
	taken      bool   // with a 2xx
	status     int    // that counts as an answer or not; zero if there was none
	detail     string // why there was none
	retryAfter time.Duration
}

// name is how the access log calls the outcome.
func (a attempt) name(b *labelInbox) string {
	switch {
	case a.taken:
		return "redelivered"
	case a.refused(b):
		return "dead"
	}
	return "again"
}

// refused reports whether the application will not take the delivery.
func (a attempt) refused(b *labelInbox) bool { return a.status != 0 && b.isAnswer(a.status) }

// rescue forwards a delivery that is kept if the application does not take it.
func (h *Handler) rescue(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, f *forwarding) error {
	k := &keeping{f: f, seen: r, kept: make(chan struct{})}
	f.keeping = k
	f.delivery.id() // while nothing else reads it
	f.begin(w, r)
	f.answer.detach(&k.gate, f.before) // those of the sender's answer stay as they are
	own, join := ownRequest(f.ctx, r, &f.answer)
	h.setUpstreamHeaders(own.Header, f.delivery, make([]string, 0, maxHeaders))
	*own = *f.lend(own.Context(), own) // in place: the placeholders are those of this pointer

	var err error
	returned, over := false, make(chan struct{})
	ask := func() {
		defer close(over)
		err = f.run(next, own)
		k.conclude(err)
		if k.removed != nil {
			<-k.removed // while the delivery keeps the inbox open
		}
		returned = true
	}
	if after := f.delivery.inbox.after; after < time.Duration(h.AnswerWithin) {
		timer := time.AfterFunc(after-h.now().Sub(f.delivery.began), k.rescue)
		defer timer.Stop()
		rescuers.start(ask)
		select {
		case <-over:
		case <-k.kept:
		}
	} else {
		ask()
	}
	if k.isKept() {
		f.delivery.leave(over)
		return k.acknowledge(w, r)
	}
	if !returned {
		runtime.Goexit() // as the handlers did
	}
	join()
	return f.conclude(w, r, err)
}

// leave has the delivery end when its handlers have returned. Its sender does not
// wait for them.
func (d *delivery) leave(over <-chan struct{}) {
	select {
	case <-over:
		return
	default:
	}
	d.left = true
	if d.handler.Capture.takes(d) {
		d.copied = d.body.Copy() // the list comes after this, and so may the buffer's end
	}
	history := d.handler.history
	history.acquire()
	go func() {
		defer history.release()
		<-over
		d.body.End()
	}()
}

func (k *keeping) isKept() bool {
	select {
	case <-k.kept:
		return true
	default:
		return false
	}
}

// rescue is called when `after` is over. If nothing has been answered, the
// delivery is kept. If it cannot be, the application's answer still goes out.
func (k *keeping) rescue() {
	k.gate.Lock()
	defer k.gate.Unlock()
	if k.hold == nil && k.f.answer.state.Load() == waiting {
		k.keep()
	}
}

// settles reports whether a status is about the entry, and not for the sender.
// A status that is no answer makes an entry. It is called with the gate held.
func (k *keeping) settles(status int) bool {
	isTaken := status >= 200 && status <= 299
	if k.hold == nil && (isTaken || k.f.delivery.inbox.isAnswer(status) || !k.keep()) {
		return false
	}
	k.outcome = attempt{taken: isTaken, status: status, retryAfter: retryAfter(k.f.answer.header(), k.f.handler.now())}
	if isTaken {
		k.finish()
	}
	return true
}

// instead keeps a delivery that got no answer, if the status that the sender
// would get does not count as one.
func (k *keeping) instead(m missing) bool {
	k.gate.Lock()
	defer k.gate.Unlock()
	if k.f.delivery.inbox.isAnswer(m.status) || !k.keep() {
		return false
	}
	k.outcome = attempt{detail: m.reason()}
	k.end()
	return true
}

// keep stores the delivery and then has the history record it. It is called with
// the gate held.
func (k *keeping) keep() bool {
	f := k.f
	d := f.delivery
	ctx, cancel := storeContext(f.ctx)
	defer cancel()
	hold, err := d.inbox.keep(ctx, d, k.seen)
	if err != nil {
		return false
	}
	f.deliver()
	k.hold = hold
	f.answer.ResponseWriter = &discarded{header: http.Header{}}
	close(k.kept)
	return true
}

// reason says why there was no answer, as the list of the inbox shows it. What a
// handler says in its error may hold a payload; what the network says does not.
func (m missing) reason() string {
	if failed, ok := errors.AsType[*net.OpError](m.err); ok {
		return failed.Error()
	}
	if failed, ok := errors.AsType[reverseproxy.DialError](m.err); ok {
		return failed.Error()
	}
	if m.err != nil {
		return fmt.Sprintf("a handler returned an error with status %d", m.status)
	}
	return m.detail
}

// conclude is called once the handlers have returned. If the delivery is kept,
// its entry gets the outcome of the attempt.
func (k *keeping) conclude(err error) {
	ended := k.f.answer.end()
	k.gate.Lock()
	defer k.gate.Unlock()
	if k.hold == nil {
		return
	}
	if ended != endAnswered {
		k.outcome = attempt{detail: k.f.missing(ended, err).reason()}
	}
	k.end()
}

// finish begins to remove the entry of a delivery that the application has taken,
// and does not wait for the disk: the handlers go on. The history knows the event
// before, so that it is never unknown to both.
func (k *keeping) finish() {
	removed := make(chan struct{})
	k.removed = removed
	hold, attempts, outcome := k.hold, k.attempts, k.outcome
	go func() {
		defer close(removed)
		if attempts > 0 && k.f.reservation != nil {
			k.f.deliver()
		}
		ctx, cancel := storeContext(k.f.ctx)
		defer cancel()
		k.f.delivery.inbox.finish(ctx, hold, attempts, outcome)
	}()
}

// end stores what became of the attempt. If the application has taken the
// delivery, that is done.
func (k *keeping) end() {
	f := k.f
	if k.outcome.taken {
		return
	}
	if k.attempts > 0 && f.reservation != nil {
		f.handler.release(f.ctx, f.reservation)
	}
	ctx, cancel := storeContext(f.ctx)
	defer cancel()
	f.delivery.inbox.again(ctx, k.hold, k.attempts, k.outcome)
}

// acknowledge answers the sender of a delivery that is kept.
func (k *keeping) acknowledge(w http.ResponseWriter, r *http.Request) error {
	emptyBody(r)
	k.f.handler.headerOptions.removeOurs(r.Header)
	k.gate.Lock()
	k.f.delivery.taken = k.outcome.status // zero while it is still asked
	k.gate.Unlock()
	k.f.delivery.acknowledge(w, r)
	return nil
}

// header returns the headers of an answer whose status is there.
func (a *answer) header() http.Header {
	if a.own != nil {
		return a.own
	}
	return a.ResponseWriter.Header()
}

// longestRetryAfter bounds what an application may ask for.
const longestRetryAfter = time.Hour

// retryAfter reads how long an answer asks to wait; zero if it does not.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), longestRetryAfter)
}

// routeGroups is the key of what Caddy keeps of a request's route groups: of
// several routes in a group, such as those of `handle`, the first one counts.
const routeGroups caddy.CtxKey = "route_group"

// ownRequest returns a request for handlers that may run on when the server has
// ended the one it is made of. Nothing that changes is shared, because handlers
// do not expect others to run at the same time. Once they have returned, join
// takes their variables and placeholders over. What they add to the access log
// is lost.
func ownRequest(ctx context.Context, r *http.Request, w http.ResponseWriter) (own *http.Request, join func()) {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	repl := caddy.NewReplacer()
	own = caddyhttp.PrepareRequest(r.Clone(ctx), repl, w, server)
	ctx = own.Context()
	vars, _ := ctx.Value(caddyhttp.VarsCtxKey).(map[string]any)
	before, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	maps.Copy(vars, before)
	if groups, ok := r.Context().Value(routeGroups).(map[string]struct{}); ok {
		ctx = context.WithValue(ctx, routeGroups, maps.Clone(groups))
	}
	if original := r.Context().Value(caddyhttp.OriginalRequestCtxKey); original != nil {
		ctx = context.WithValue(ctx, caddyhttp.OriginalRequestCtxKey, original)
	}
	*own = *own.WithContext(caddyhttp.ContextWithIdleTimeouts(ctx, nil, nil))

	outer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return own, func() {}
	}
	var joined atomic.Bool // or the two would ask each other for ever
	repl.Map(func(name string) (any, bool) {
		if joined.Load() {
			return nil, false
		}
		return outer.Get(name)
	})
	return own, func() {
		joined.Store(true)
		outer.Map(repl.Get)
		if before != nil {
			maps.Copy(before, vars)
		}
	}
}
