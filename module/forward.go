package module

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
)

// storeWithin is how long a sender waits for the history, before its delivery
// is forwarded and again before the answer goes out. Stores may be stricter.
const storeWithin = 5 * time.Second

// errNoAnswer ends the handlers that have not answered in time. It is a
// cancellation, so that reverse_proxy takes it for no failure of the upstream
// and does not try again.
var errNoAnswer = fmt.Errorf("no answer within answer_within: %w", context.Canceled)

// forwarding is a delivery on its way through the handlers behind this one.
type forwarding struct {
	handler     *Handler
	sender      context.Context // ends when the sender goes away
	parent      detached        // the values of the sender's context
	ctx         context.Context // that of the handlers behind
	cancel      context.CancelCauseFunc
	answer      answer
	timer       *time.Timer // ends the time for an answer
	unlink      func() bool // from the sender's going away; nil while they are not linked
	reservation replay.Reservation
	storing     storeContext
	before      headers            // of the answer, before the handlers behind had it
	values      [maxHeaders]string // of the headers that the application receives
}

// forward hands a verified delivery to the handlers behind this one and
// settles its reservation by their answer. They run on when the sender goes
// away, until the status is there: the delivery is then recorded, or free for
// the retry. Afterwards they end with the sender.
func (h *Handler) forward(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, d *delivery, reservation replay.Reservation) error {
	h.note(r, d, accepted, nil)
	f := &forwarding{handler: h, reservation: reservation}
	h.emit(r.Header, d, f.values[:0])
	f.before.keep(w.Header())
	f.sender, f.parent = r.Context(), detached{r.Context()}
	f.ctx, f.cancel = context.WithCancelCause(&f.parent)
	defer f.cancel(nil)
	f.answer.begin(w, f)
	f.timer = time.AfterFunc(time.Duration(h.AnswerWithin), f.expire)
	defer f.end()

	err := h.callNext(next, f, withBody(r.WithContext(d.body.lend(f.ctx)), &d.body))
	ended := f.answer.end()
	if ended == endAnswered && err == nil {
		return nil
	}
	// What handle_errors does is not recorded, so it gets no delivery: a
	// capture could otherwise reach an application behind it again and again.
	emptyBody(r)
	h.emits.removeOurs(r.Header)
	switch ended {
	case endAnswered:
		return err
	case endExpired:
		h.release(f.ctx, reservation)
		f.before.restore(w.Header())
		h.setRetryAfter(w)
		return h.unanswered(r, d, http.StatusServiceUnavailable, "the application did not begin its answer within answer_within")
	}
	h.release(f.ctx, reservation)
	if err != nil {
		h.note(r, d, accepted, refuseFor(noAnswer, "the handlers behind returned an error; a retry is forwarded"))
		return err
	}
	f.before.restore(w.Header())
	return h.unanswered(r, d, http.StatusBadGateway, "nothing behind verify_webhook wrote an answer")
}

// expire ends the time for an answer.
func (f *forwarding) expire() {
	if f.answer.expire() {
		f.handler.logger.Warn("the application did not begin its answer within answer_within; the sender is answered when the handler returns",
			zap.String("provider", f.handler.Provider))
		f.cancel(errNoAnswer)
	}
}

// answered is called once the status has gone out. An answer without a body is
// over by then.
func (f *forwarding) answered(status int) {
	f.timer.Stop()
	if !f.answer.isBodiless(status) {
		f.unlink = context.AfterFunc(f.sender, func() { f.cancel(context.Cause(f.sender)) })
	}
}

// end is called once the handlers behind have returned.
func (f *forwarding) end() {
	f.timer.Stop()
	if f.unlink != nil {
		f.unlink() // or the end of the request starts a goroutine
	}
}

// withBody gives the request the verified body, with its exact length.
func withBody(r *http.Request, body *replayedBody) *http.Request {
	r.Body = http.NoBody
	if body.size() > 0 {
		r.Body = body
	}
	// The body is here; asking an upstream whether to send it is in vain.
	delete(r.Header, "Expect")
	if length := r.Header["Content-Length"]; r.ContentLength != body.size() || len(length) != 1 {
		r.Header["Content-Length"] = []string{strconv.FormatInt(body.size(), 10)}
	}
	r.ContentLength = body.size()
	r.TransferEncoding = nil
	return r
}

// errPanicked is what becomes of a panic.
var errPanicked = errors.New("verify_webhook: the handlers behind panicked")

// callNext runs the handlers behind and turns a panic into an error, so that
// the delivery is released and the sender answered. http.ErrAbortHandler is
// the way to cut a connection on purpose and stays what it is.
func (h *Handler) callNext(next caddyhttp.Handler, f *forwarding, r *http.Request) (err error) {
	returned := false
	defer func() {
		p := recover()
		if p == nil {
			if !returned && f.answer.end() == endUnanswered { // runtime.Goexit
				h.release(r.Context(), f.reservation)
			}
			return
		}
		onPurpose := p == http.ErrAbortHandler //nolint:errorlint // it is what was panicked with
		if !onPurpose {
			// The value may hold a payload; its type and the stack do not.
			h.logger.Error("panic behind verify_webhook",
				zap.String("type", fmt.Sprintf("%T", p)), zap.ByteString("stack", debug.Stack()))
		}
		switch ended := f.answer.end(); {
		case ended == endAnswered:
			panic(http.ErrAbortHandler) // too late for another answer
		case !onPurpose:
			err = caddyhttp.Error(http.StatusInternalServerError, errPanicked)
		case ended == endUnanswered:
			h.release(r.Context(), f.reservation)
			panic(http.ErrAbortHandler)
		}
	}()
	err = next.ServeHTTP(&f.answer, r)
	returned = true
	return err
}

// settle records or releases the delivery by its status, before the sender
// sees it.
func (f *forwarding) settle(status int) {
	h := f.handler
	if status < 200 || status > 299 {
		h.release(f.ctx, f.reservation)
		if entry := h.logger.Check(zap.InfoLevel, "delivery was not taken; a retry is forwarded"); entry != nil {
			entry.Write(zap.String("provider", h.Provider), zap.Int("status", status))
		}
		return
	}
	// The application has it; its answer goes out even if the store fails, or
	// takes longer than the sender may wait.
	ctx := f.storing.begin(f.sender)
	defer ctx.end()
	began := h.now()
	err := f.reservation.Deliver(ctx)
	h.storeRecorder.used(h.now().Sub(began), err)
	if err != nil {
		h.logger.Error("recording a delivery; a retry of it may be forwarded again",
			zap.String("provider", h.Provider), zap.Error(err))
	}
}

func (h *Handler) release(ctx context.Context, reservation replay.Reservation) {
	began := h.now()
	err := reservation.Release(context.WithoutCancel(ctx))
	h.storeRecorder.used(h.now().Sub(began), err)
	if err != nil {
		h.logger.Error("releasing a delivery; its retries are told to wait",
			zap.String("provider", h.Provider), zap.Error(err))
	}
}

// unanswered is the error of a delivery that was forwarded to nobody's answer.
func (h *Handler) unanswered(r *http.Request, d *delivery, status int, detail string) error {
	h.note(r, d, accepted, refuseFor(noAnswer, detail))
	return caddyhttp.Error(status, texts[noAnswer])
}

// headers are those of an answer, kept to undo what handlers did to them who
// then gave none.
type headers struct {
	few  [4]header
	n    int
	many http.Header // if they are more than a few
}

type header struct {
	name   string
	values []string
}

func (k *headers) keep(h http.Header) {
	if len(h) > len(k.few) {
		k.many = maps.Clone(h)
		return
	}
	for name, values := range h {
		k.few[k.n] = header{name, values}
		k.n++
	}
}

func (k *headers) restore(h http.Header) {
	clear(h)
	maps.Copy(h, k.many)
	for _, kept := range k.few[:k.n] {
		h[kept.name] = kept.values
	}
}
