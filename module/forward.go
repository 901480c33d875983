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

// forward hands a verified delivery to the handlers behind this one and
// settles its reservation by their answer. They run on when the sender goes
// away, until the status is there: the delivery is then recorded, or free for
// the retry. Afterwards they end with the sender.
func (h *Handler) forward(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler, d *delivery, reservation replay.Reservation) (err error) {
	h.note(r, d, accepted, nil)
	d.setHeaders(r.Header)
	before := maps.Clone(w.Header())

	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	defer cancel(nil)
	a := newAnswer(w, func(status int) { h.settle(ctx, reservation, status) })
	timer := time.AfterFunc(time.Duration(h.AnswerWithin), func() {
		if a.expire() {
			h.logger.Warn("the application did not begin its answer within answer_within; the sender is answered when the handler returns",
				zap.String("provider", h.Provider))
			cancel(errNoAnswer)
		}
	})
	unlink := func() bool { return true }
	defer func() { unlink() }() // or the end of the request starts a goroutine
	a.answered = func() {
		timer.Stop()
		unlink = context.AfterFunc(r.Context(), func() { cancel(context.Cause(r.Context())) })
	}

	err = h.callNext(next, a, withBody(r.WithContext(d.body.lend(ctx)), &d.body), reservation)
	timer.Stop()
	// What handle_errors does is not recorded, so it gets no delivery: a
	// capture could otherwise reach an application behind it again and again.
	emptyBody(r)
	removeOurs(r.Header)
	switch a.end() {
	case endAnswered:
		return err
	case endExpired:
		h.release(ctx, reservation)
		restore(w.Header(), before)
		h.setRetryAfter(w)
		return h.unanswered(r, d, http.StatusServiceUnavailable, "the application did not begin its answer within answer_within")
	}
	h.release(ctx, reservation)
	if err != nil {
		h.note(r, d, accepted, refuseFor(noAnswer, "the handlers behind returned an error; a retry is forwarded"))
		return err
	}
	restore(w.Header(), before)
	return h.unanswered(r, d, http.StatusBadGateway, "nothing behind verify_webhook wrote an answer")
}

// withBody gives the request the verified body, with its exact length.
func withBody(r *http.Request, body *replayedBody) *http.Request {
	r.Body = http.NoBody
	if body.size() > 0 {
		r.Body = body
	}
	r.ContentLength = body.size()
	r.TransferEncoding = nil
	// The body is here; asking an upstream whether to send it is in vain.
	delete(r.Header, "Expect")
	r.Header["Content-Length"] = []string{strconv.FormatInt(body.size(), 10)}
	return r
}

// errPanicked is what becomes of a panic.
var errPanicked = errors.New("verify_webhook: the handlers behind panicked")

// callNext runs the handlers behind and turns a panic into an error, so that
// the delivery is released and the sender answered. http.ErrAbortHandler is
// the way to cut a connection on purpose and stays what it is.
func (h *Handler) callNext(next caddyhttp.Handler, a *answer, r *http.Request, reservation replay.Reservation) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		onPurpose := p == http.ErrAbortHandler //nolint:errorlint // it is what was panicked with
		if !onPurpose {
			// The value may hold a payload; its type and the stack do not.
			h.logger.Error("panic behind verify_webhook",
				zap.String("type", fmt.Sprintf("%T", p)), zap.ByteString("stack", debug.Stack()))
		}
		switch ended := a.end(); {
		case ended == endAnswered:
			panic(http.ErrAbortHandler) // too late for another answer
		case !onPurpose:
			err = caddyhttp.Error(http.StatusInternalServerError, errPanicked)
		case ended == endUnanswered:
			h.release(r.Context(), reservation)
			panic(http.ErrAbortHandler)
		}
	}()
	return next.ServeHTTP(a, r)
}

// settle records or releases the delivery by its status, before the sender
// sees it.
func (h *Handler) settle(ctx context.Context, reservation replay.Reservation, status int) {
	if status < 200 || status > 299 {
		h.release(ctx, reservation)
		if entry := h.logger.Check(zap.InfoLevel, "delivery was not taken; a retry is forwarded"); entry != nil {
			entry.Write(zap.String("provider", h.Provider), zap.Int("status", status))
		}
		return
	}
	// The application has it; its answer goes out even if the store fails, or
	// takes longer than the sender may wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
	defer cancel()
	if err := reservation.Deliver(ctx); err != nil {
		h.logger.Error("recording a delivery; a retry of it may be forwarded again",
			zap.String("provider", h.Provider), zap.Error(err))
	}
}

func (h *Handler) release(ctx context.Context, reservation replay.Reservation) {
	if err := reservation.Release(context.WithoutCancel(ctx)); err != nil {
		h.logger.Error("releasing a delivery; its retries are told to wait",
			zap.String("provider", h.Provider), zap.Error(err))
	}
}

// unanswered is the error of a delivery that was forwarded to nobody's answer.
func (h *Handler) unanswered(r *http.Request, d *delivery, status int, detail string) error {
	h.note(r, d, accepted, refuseFor(noAnswer, detail))
	return caddyhttp.Error(status, texts[noAnswer])
}

// restore undoes what handlers did to the headers of an answer that they never
// gave.
func restore(header, before http.Header) {
	clear(header)
	maps.Copy(header, before)
}
