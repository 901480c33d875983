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

// keeping is the state that an inbox adds to a forwarding. If the application
// does not take the delivery, it is kept and the sender gets an empty 200. Once
// it is kept, the application's answer settles the entry and does not reach the
// sender.
//
// The gate is held while a decision is made about who is answered: in
// WriteHeader, in the timer of `after`, and when the handlers have returned.
type keeping struct {
	f        *forwarding
	seen     *http.Request // as verify_webhook saw it
	attempts int           // so far, including this one; 0 for a rescue
	gate     sync.Mutex
	hold     inbox.Hold    // the entry; nil until it is kept
	kept     chan struct{} // closed once it is
	outcome  attempt
	removed  chan struct{} // closed once the entry is removed; nil until the application has taken it
}

// attempt is the outcome of asking the application.
type attempt struct {
	taken      bool   // with a 2xx
	status     int    // the application's, whether it counts or not; zero if there was none
	detail     string // why there was no answer
	retryAfter time.Duration
}

// name returns the outcome as the access log shows it.
func (a attempt) name(b *labelInbox) string {
	switch {
	case a.taken:
		return "redelivered"
	case a.refused(b):
		return "dead"
	}
	return "again"
}

// refused reports whether the application has answered that it will not take
// the delivery.
func (a attempt) refused(b *labelInbox) bool { return a.status != 0 && b.isAnswer(a.status) }

// rescue forwards a delivery that is kept if the application does not take it.
func (h *Handler) rescue(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, f *forwarding) error {
	k := &keeping{f: f, seen: r, kept: make(chan struct{})}
	f.keeping = k
	f.delivery.id() // while nothing else reads it
	f.begin(w, r)
	f.answer.detach(&k.gate, f.before) // the headers of the sender's answer stay unchanged
	own, join := ownRequest(f.ctx, r, &f.answer)
	h.setUpstreamHeaders(own.Header, f.delivery, make([]string, 0, maxHeaders))
	*own = *f.lend(own.Context(), own) // in place, because the placeholders read this pointer

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

// leave ends the delivery when its handlers have returned. Its sender does not
// wait for them.
func (d *delivery) leave(over <-chan struct{}) {
	select {
	case <-over:
		return
	default:
	}
	d.left = true
	if d.handler.Capture.takes(d) {
		d.copied = d.body.Copy() // the delivery is listed later, when the buffer may be gone
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

// rescue is called when `after` is over. It keeps the delivery if there is no
// answer yet. If the delivery cannot be kept, the application's answer still
// goes out.
func (k *keeping) rescue() {
	k.gate.Lock()
	defer k.gate.Unlock()
	if k.hold == nil && k.f.answer.state.Load() == waiting {
		k.keep()
	}
}

// settles reports whether a status settles the entry instead of going to the
// sender. A status that does not count as an answer creates the entry. It is
// called with the gate held.
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
// would get does not count as one. It reports whether it has kept it.
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

// keep stores the delivery and then has the history record it. It reports
// whether the delivery is kept. It is called with the gate held.
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

// reason returns why there was no answer, as the list of the inbox shows it.
// The text of a handler's error may contain a payload, so it is left out; the
// text of a network error does not.
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
// it stores the outcome of the attempt in the entry.
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

// end stores the outcome of an attempt that the application has not taken. For
// one that it has taken, finish has done so.
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

// header returns the headers of an answer that has a status.
func (a *answer) header() http.Header {
	if a.own != nil {
		return a.own
	}
	return a.ResponseWriter.Header()
}

// longestRetryAfter is the longest wait that an application may ask for.
const longestRetryAfter = time.Hour

// retryAfter returns how long an answer asks to wait, or zero if it does not
// ask.
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

// routeGroups is the context key under which Caddy stores which route groups a
// request has matched. Of the routes in a group, such as those of `handle`,
// only the first match runs.
const routeGroups caddy.CtxKey = "route_group"

// ownRequest returns a copy of a request for handlers that may still run when
// the server has ended the original. The copy shares nothing that changes,
// because handlers do not expect others to run at the same time. Once the
// handlers have returned, join copies their variables and placeholders to the
// original. Fields that they add to the access log are lost.
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
	var joined atomic.Bool // otherwise the two would ask each other for ever
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
