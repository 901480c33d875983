package module

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/internal/bodies"
	"github.com/hooklatch/hooklatch/module/replay"
)

// storeWithin is how long a sender waits for the history: once before its
// delivery is forwarded, and once more before the answer goes out. A store may
// have a shorter limit.
const storeWithin = 5 * time.Second

// errNoAnswer cancels the handlers that have not answered in time. It wraps
// context.Canceled, so that reverse_proxy does not take it for a failure of the
// upstream and does not try again.
var errNoAnswer = fmt.Errorf("no answer within answer_within: %w", context.Canceled)

// proxyReturned is a placeholder that changes whenever a reverse_proxy returns.
const proxyReturned = "http.reverse_proxy.duration"

// statusClientClosed is the status that reverse_proxy writes when its request
// is cancelled.
const statusClientClosed = 499

// forwarding is a delivery on its way through the handlers after this one.
type forwarding struct {
	handler     *Handler
	delivery    *delivery
	body        *bodies.Retryable
	sender      context.Context // ends when the sender goes away
	ctx         context.Context // of the handlers after this one
	cancel      context.CancelCauseFunc
	answer      answer
	timer       *time.Timer // fires when the time for an answer is over
	unlink      func() bool // stops ctx from ending with sender; nil while it does not
	reservation replay.Reservation
	before      http.Header // the response headers before the handlers ran
	keeping     *keeping    // nil if the delivery cannot be kept
}

// begin prepares a delivery for the handlers after this one. They have a
// context of their own, which does not end when the sender goes away.
func (f *forwarding) begin(w http.ResponseWriter, r *http.Request) {
	f.body, f.sender, f.before = &f.delivery.body, r.Context(), maps.Clone(w.Header())
	f.ctx, f.cancel = context.WithCancelCause(context.WithoutCancel(f.sender))
	f.answer.begin(w, f)
	f.timer = time.AfterFunc(time.Duration(f.handler.AnswerWithin), f.expire)
}

// forward passes a verified delivery to the handlers after this one and settles
// its reservation by their answer. If the sender goes away, they keep running
// until the status is known, so that the delivery is recorded, kept or released
// for a retry. After that, they end with the sender.
func (h *Handler) forward(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, d *delivery, reservation replay.Reservation) error {
	h.recordVerdict(r, d, accepted, nil)
	f := &forwarding{handler: h, delivery: d, reservation: reservation}
	if d.inbox != nil && !d.inbox.always {
		return h.rescue(w, r, next, f)
	}
	h.setUpstreamHeaders(r.Header, d, make([]string, 0, maxHeaders))
	f.begin(w, r)
	arrived := r.Body
	err := f.run(next, f.lend(f.ctx, r))
	r.Body = arrived
	return f.conclude(w, r, err)
}

// lend returns the request for the handlers after this one, with the body.
func (f *forwarding) lend(ctx context.Context, r *http.Request) *http.Request {
	ctx = f.body.Lend(ctx, proxiesOf(r), func() { f.cancel(errNoAnswer) })
	return requestWith(ctx, r, f.body)
}

// run calls the handlers after this one.
func (f *forwarding) run(next caddyhttp.Handler, r *http.Request) error {
	defer f.cancel(nil)
	defer f.end()
	return f.callNext(next, r)
}

// conclude is called with the error of the handlers once they have returned. It
// settles what their answer did not settle, and returns what the sender gets if
// they wrote no answer.
func (f *forwarding) conclude(w http.ResponseWriter, r *http.Request, err error) error {
	ended := f.answer.end()
	if ended == endAnswered && err == nil {
		return nil
	}
	h, d := f.handler, f.delivery
	var missing missing
	if ended != endAnswered && !errors.Is(err, errAborted) {
		missing = f.missing(ended, err)
		if f.keeping != nil && f.keeping.instead(missing) {
			return f.keeping.acknowledge(w, r)
		}
	}
	// The history does not record what handle_errors does, so handle_errors gets
	// no delivery. Otherwise a replay could reach an application after it again
	// and again.
	emptyBody(r)
	h.headerOptions.removeOurs(r.Header)
	if errors.Is(err, errAborted) {
		if ended == endUnanswered {
			h.release(f.ctx, f.reservation)
		}
		panic(http.ErrAbortHandler)
	}
	if ended == endAnswered {
		return err
	}
	h.release(f.ctx, f.reservation)
	if missing.err != nil {
		h.recordVerdict(r, d, accepted, refuseFor(noAnswer, missing.detail))
		return missing.err
	}
	f.restoreHeaders(w)
	if missing.status == http.StatusServiceUnavailable {
		h.setRetryAfter(w)
	}
	return h.unanswered(r, d, missing.status, missing.detail)
}

// missing describes the lack of an answer.
type missing struct {
	status int // of the response instead
	detail string
	err    error // the handlers' own, if the sender gets it
}

// missing returns why no answer came.
func (f *forwarding) missing(ended int32, err error) missing {
	fault := f.body.Fault()
	switch {
	case fault != "":
		f.handler.logger.Error("a handler after verify_webhook could not read the whole body; the delivery does not count, and its retry is forwarded",
			zap.String("provider", f.handler.Provider), zap.String("detail", fault))
		return missing{status: http.StatusBadGateway, detail: fault}
	case ended == endExpired:
		return missing{status: http.StatusServiceUnavailable, detail: "the application did not begin its answer within answer_within"}
	case ended == endCancelled:
		return missing{status: http.StatusServiceUnavailable, detail: "the proxy gave up before the application answered"}
	case err != nil:
		return missing{statusOfError(err), "the handlers after verify_webhook returned an error; a retry is forwarded", err}
	}
	return missing{status: http.StatusBadGateway, detail: "nothing after verify_webhook wrote an answer"}
}

// statusOfError returns the status with which the server answers an error.
func statusOfError(err error) int {
	if known, ok := errors.AsType[caddyhttp.HandlerError](err); ok && known.StatusCode != 0 {
		return known.StatusCode
	}
	return http.StatusInternalServerError
}

// proxiesOf returns a function whose result changes whenever a reverse_proxy
// returns from handling the request.
func proxiesOf(r *http.Request) func() any {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return func() any { return nil }
	}
	return func() any {
		value, _ := repl.Get(proxyReturned)
		return value
	}
}

// restoreHeaders removes the changes that handlers made to the response headers
// without answering. With an inbox, the handlers had headers of their own, so
// there is nothing to restore.
func (f *forwarding) restoreHeaders(w http.ResponseWriter) {
	if f.answer.own == nil {
		replaceHeaders(w.Header(), f.before)
	}
}

// expire is called when answer_within is over. It cancels handlers that have
// not begun an answer and, if the delivery is kept, handlers that have not
// finished.
func (f *forwarding) expire() {
	switch expired, kept := f.answer.expire(), f.keeping != nil && f.keeping.isKept(); {
	case kept:
		f.cancel(errNoAnswer)
	case expired:
		f.handler.logger.Warn("the application did not begin its answer within answer_within; the sender is answered when the handler returns",
			zap.String("provider", f.handler.Provider))
		f.cancel(errNoAnswer)
	}
}

// answered is called once the status has gone out. An answer without a body is
// then complete.
func (f *forwarding) answered(status int) {
	f.timer.Stop()
	if f.keeping != nil && f.keeping.isKept() {
		f.timer.Reset(time.Duration(f.handler.AnswerWithin))
		return
	}
	if !f.answer.isBodiless(status) {
		f.unlink = context.AfterFunc(f.sender, func() { f.cancel(context.Cause(f.sender)) })
	}
}

// end is called once the handlers after this one have returned.
func (f *forwarding) end() {
	f.timer.Stop()
	if f.unlink != nil {
		f.unlink() // otherwise the end of the request would start a goroutine
	}
}

// requestWith returns the request for the handlers after this one, with the
// verified body and its exact length. Caddy's placeholders read the request that
// the server made, so that one has the body too.
func requestWith(ctx context.Context, r *http.Request, b *bodies.Retryable) *http.Request {
	r.Body = http.NoBody
	if b.Size() > 0 {
		r.Body = b
	}
	// The body has arrived; there is no need to ask an upstream whether to send it.
	delete(r.Header, "Expect")
	if length := r.Header["Content-Length"]; r.ContentLength != b.Size() || len(length) != 1 {
		r.Header["Content-Length"] = []string{strconv.FormatInt(b.Size(), 10)}
	}
	r.ContentLength = b.Size()
	r.TransferEncoding = nil
	if repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok && !reads(repl, r) {
		repl.Set("http.request.body", bodyText{b})
		repl.Set("http.request.body_base64", bodyBase64{b})
	}
	return r.WithContext(ctx)
}

// reads reports whether the placeholders read this very request. A handler such
// as tracing passes on a copy, and the request that the server made is then out
// of reach.
func reads(repl *caddy.Replacer, r *http.Request) bool {
	const probe = "is it this one?"
	method := r.Method
	r.Method = probe
	got, _ := repl.Get("http.request.method")
	r.Method = method
	return got == probe
}

// bodyText and bodyBase64 are placeholder values that copy the body when they
// are read. They are empty once the body is gone.
type (
	bodyText   struct{ body *bodies.Retryable }
	bodyBase64 struct{ body *bodies.Retryable }
)

func (t bodyText) String() string { return string(t.body.Copy()) }

func (t bodyBase64) String() string { return base64.StdEncoding.EncodeToString(t.body.Copy()) }

// errPanicked replaces the value of a panic.
var errPanicked = errors.New("verify_webhook: the handlers behind panicked")

// errAborted means that the connection must be cut: a handler asked for it, or
// panicked after its answer had begun.
var errAborted = errors.New("verify_webhook: the handlers behind aborted the answer")

// errVanished is the error for handlers that ended their goroutine.
var errVanished = errors.New("verify_webhook: a handler behind ended its goroutine")

// callNext runs the handlers after this one. It turns a panic into an error, so
// that the delivery is settled and the sender answered. A handler panics with
// http.ErrAbortHandler to cut the connection on purpose; once an answer has
// begun, cutting the connection is the only way to report any panic.
func (f *forwarding) callNext(next caddyhttp.Handler, r *http.Request) (err error) {
	returned := false
	defer func() {
		p := recover()
		if p == nil {
			if !returned { // runtime.Goexit
				f.vanished()
			}
			return
		}
		onPurpose := p == http.ErrAbortHandler //nolint:errorlint // it is what was panicked with
		if !onPurpose {
			// The value may hold a payload; its type and the stack do not.
			f.handler.logger.Error("panic behind verify_webhook",
				zap.String("type", fmt.Sprintf("%T", p)), zap.ByteString("stack", debug.Stack()))
		}
		ended := f.answer.end()
		switch {
		case ended == endAnswered, onPurpose && ended == endUnanswered:
			err = errAborted // it is too late for another answer, or none is wanted
		case !onPurpose:
			err = caddyhttp.Error(http.StatusInternalServerError, errPanicked)
		}
	}()
	err = f.body.Serve(func() error { return next.ServeHTTP(&f.answer, r) })
	returned = true
	return err
}

// vanished settles a delivery whose handlers ended their goroutine.
func (f *forwarding) vanished() {
	ended := f.answer.end()
	switch {
	case f.keeping != nil && f.keeping.isKept():
		f.keeping.conclude(errVanished)
	case ended != endAnswered:
		f.handler.release(f.ctx, f.reservation)
	}
}

// settle records, keeps or releases the delivery by its status, before the
// sender sees that status. It returns the state that the answer ends in.
func (f *forwarding) settle(status int) int32 {
	h := f.handler
	switch {
	case f.body.Fault() != "":
		return endUnsound
	case status == statusClientClosed && (f.sender.Err() == nil || f.keeping != nil) && f.body.Unanswered():
		return endCancelled
	case f.keeping != nil && f.keeping.settles(status):
		return endAnswered
	case status < 200 || status > 299:
		h.release(f.ctx, f.reservation)
		if entry := h.logger.Check(zap.InfoLevel, "delivery was not taken; a retry is forwarded"); entry != nil {
			entry.Write(zap.String("provider", h.Provider), zap.Int("status", status))
		}
		f.delivery.list(status, status)
		return endAnswered
	}
	// The application has the delivery. Its answer goes out even if the store
	// fails, or takes longer than the sender may wait.
	f.deliver()
	if f.delivery.inbox != nil {
		f.delivery.inbox.delivered(f.ctx, f.delivery.event.Content)
	}
	f.delivery.list(status, status)
	return endAnswered
}

// deliver records the delivery in the history.
func (f *forwarding) deliver() {
	h := f.handler
	ctx, cancel := f.delivery.storeContext(f.sender)
	defer cancel()
	began := h.now()
	err := f.reservation.Deliver(ctx)
	h.history.noteDelivered(f.delivery.event)
	h.storeRecorder.used(h.now().Sub(began), err)
	if err != nil {
		h.logger.Error("recording a delivery; a retry of it may be forwarded again",
			zap.String("provider", h.Provider), zap.Error(err))
	}
}

func (h *Handler) release(ctx context.Context, reservation replay.Reservation) {
	ctx, cancel := storeContext(ctx)
	defer cancel()
	began := h.now()
	err := reservation.Release(ctx)
	h.storeRecorder.used(h.now().Sub(began), err)
	if err != nil {
		h.logger.Error("releasing a delivery; its retries are told to wait",
			zap.String("provider", h.Provider), zap.Error(err))
	}
}

// storeContext returns a context with the values of a request and a deadline of
// its own. It does not end when the sender goes away.
func storeContext(values context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(values), storeWithin)
}

// storeContext returns a context for calls to the history of the delivery. It
// has a deadline only if the history can keep the sender waiting.
func (d *delivery) storeContext(values context.Context) (context.Context, context.CancelFunc) {
	if d.immediate {
		return context.WithoutCancel(values), func() {}
	}
	return storeContext(values)
}

// unanswered records that a forwarded delivery got no answer, and returns the
// error for its sender.
func (h *Handler) unanswered(r *http.Request, d *delivery, status int, detail string) error {
	h.recordVerdict(r, d, accepted, refuseFor(noAnswer, detail))
	return caddyhttp.Error(status, texts[noAnswer])
}
