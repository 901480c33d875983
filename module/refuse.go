package module

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/schemes"
)

// Reason is why a delivery was not forwarded or not acknowledged: one word from
// a fixed list. The schemes have some reasons of their own.
type Reason = schemes.Reason

const (
	methodNotAllowed Reason = "method_not_allowed"
	bodyTooLarge     Reason = "body_too_large"
	overloaded       Reason = "overloaded"
	bodyTimeout      Reason = "body_timeout"
	bodyIncomplete   Reason = "body_incomplete"
	storeUnavailable Reason = "store_unavailable"
	inFlight         Reason = "in_flight"
	conflict         Reason = "conflict"
	duplicate        Reason = "duplicate"
	noAnswer         Reason = "no_answer"

	unknownTenant     Reason = "unknown_tenant"
	tenantUnavailable Reason = "tenant_unavailable"
)

// verdict is the result of judging a request.
type verdict string

const (
	accepted        verdict = "accepted"
	rejected        verdict = "rejected"
	duplicateBefore verdict = "duplicate"
)

// statuses are the HTTP statuses of the reasons. 410 must not be among them:
// it would cancel the event at Cryptr.
var statuses = map[Reason]int{
	methodNotAllowed:              http.StatusMethodNotAllowed,
	schemes.MissingSignature:      http.StatusUnauthorized,
	schemes.MalformedSignature:    http.StatusUnauthorized,
	schemes.MissingSignedHeader:   http.StatusUnauthorized,
	schemes.MalformedSignedHeader: http.StatusUnauthorized,
	bodyTooLarge:                  http.StatusRequestEntityTooLarge,
	overloaded:                    http.StatusServiceUnavailable,
	bodyTimeout:                   http.StatusRequestTimeout,
	bodyIncomplete:                http.StatusBadRequest,
	schemes.SignatureMismatch:     http.StatusUnauthorized,
	unknownTenant:                 http.StatusUnauthorized,
	tenantUnavailable:             http.StatusServiceUnavailable,
	schemes.NoSignedTime:          http.StatusUnauthorized,
	schemes.Stale:                 http.StatusUnauthorized,
	schemes.Future:                http.StatusUnauthorized,
	storeUnavailable:              http.StatusServiceUnavailable,
	inFlight:                      http.StatusServiceUnavailable,
	conflict:                      http.StatusConflict, // 200 where it is acknowledged
	duplicate:                     http.StatusConflict, // with on_duplicate reject
}

// statusFor returns the HTTP status of a reason. A scheme's own reason is about
// the signature, so its status is 401.
func statusFor(reason Reason) int {
	if status, known := statuses[reason]; known {
		return status
	}
	return http.StatusUnauthorized
}

// texts are the errors for the reasons, created once. They become
// {http.error.message}, so they say no more than the reason.
var texts = func() map[Reason]error {
	errs := map[Reason]error{noAnswer: errorFor(noAnswer)}
	for reason := range statuses {
		errs[reason] = errorFor(reason)
	}
	return errs
}()

// textFor returns the error of a reason.
func textFor(reason Reason) error {
	if text, known := texts[reason]; known {
		return text
	}
	return errorFor(reason)
}

func errorFor(reason Reason) error { return errors.New("verify_webhook: " + string(reason)) }

// otherReason replaces a scheme's own reason after too many others.
const otherReason Reason = "other"

// ownReasons are the reasons that schemes written in Go define themselves. A
// scheme should have a few constants. The limit keeps the metrics, and the keys
// by which the log is sampled, finite if a scheme builds reasons from what it
// receives.
var ownReasons = struct {
	sync.Mutex
	known map[Reason]bool
}{known: map[Reason]bool{}}

const maxOwnReasons = 32

// bounded returns the reason itself, or otherReason.
func bounded(reason Reason) Reason {
	if _, known := statuses[reason]; known {
		return reason
	}
	ownReasons.Lock()
	defer ownReasons.Unlock()
	switch {
	case ownReasons.known[reason]:
		return reason
	case len(ownReasons.known) == maxOwnReasons:
		return otherReason
	}
	ownReasons.known[reason] = true
	return reason
}

// refusal is the reason why a request is not forwarded, with its details.
type refusal struct {
	reason Reason
	// detail is for the log. It never contains what the sender wrote.
	detail string
	// lookalike is a hint if the request has the signature of another scheme.
	lookalike string
	// unread is set if a part of the body may still be on its way.
	unread bool
	// asked is set if a part of the body has been read.
	asked bool
}

func refuseFor(reason Reason, detail string) *refusal {
	return &refusal{reason: reason, detail: detail}
}

// refusalOf returns the refusal for an error of a scheme, with the scheme's
// reason and detail.
func refusalOf(err error) *refusal {
	if refused, ok := errors.AsType[schemes.Refusal](err); ok {
		return refuseFor(bounded(refused.Reason()), refused.Detail())
	}
	return refuseFor(schemes.SignatureMismatch, err.Error())
}

func (h *Handler) refuseMethod(w http.ResponseWriter) *refusal {
	if !h.Observe {
		w.Header()["Allow"] = []string{h.allow}
	}
	return refuseFor(methodNotAllowed, "deliveries come with "+h.allow)
}

// answerDuplicate answers a duplicate. By default it acknowledges the delivery,
// so that the provider stops sending it.
func (h *Handler) answerDuplicate(w http.ResponseWriter, r *http.Request, d *delivery) error {
	refused := refuseFor(duplicate, "it has been delivered")
	if h.OnDuplicate == DuplicateReject {
		return h.refuse(w, r, d, duplicateBefore, refused)
	}
	return h.acknowledge(w, r, d, refused)
}

// answerConflict rejects or acknowledges delivered content that comes again
// with other unsigned values. The application already has that content.
func (h *Handler) answerConflict(w http.ResponseWriter, r *http.Request, d *delivery) error {
	refused := refuseFor(conflict, "this content has been delivered with another occurrence ID or event type, which are not signed")
	if h.onConflict != ConflictAck {
		return h.reject(w, r, d, refused)
	}
	return h.acknowledge(w, r, d, refused)
}

// acknowledge answers 200 to content that has been delivered.
func (h *Handler) acknowledge(w http.ResponseWriter, r *http.Request, d *delivery, refused *refusal) error {
	if h.Observe {
		return h.refuse(w, r, d, duplicateBefore, refused)
	}
	h.recordVerdict(r, d, duplicateBefore, refused)
	d.status = http.StatusOK
	w.WriteHeader(http.StatusOK)
	return nil
}

// reject rejects a request for any reason other than a duplicate.
func (h *Handler) reject(w http.ResponseWriter, r *http.Request, d *delivery, refused *refusal) error {
	return h.refuse(w, r, d, rejected, refused)
}

// refuse logs the refusal, sets the placeholders and returns the error for
// handle_errors.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, d *delivery, v verdict, refused *refusal) error {
	if h.Observe {
		return h.passOn(w, r, d, v, refused)
	}
	if refused.unread {
		h.drain(w, r, refused.asked)
	}
	h.headerOptions.removeOurs(r.Header)
	emptyBody(r)
	h.recordVerdict(r, d, v, refused)
	status := statusFor(refused.reason)
	if status == http.StatusServiceUnavailable {
		h.setRetryAfter(w)
	}
	return caddyhttp.Error(status, textFor(refused.reason))
}

// setRetryAfter tells the sender when to try again, in whole seconds.
func (h *Handler) setRetryAfter(w http.ResponseWriter) {
	const second = time.Second
	seconds := (time.Duration(h.RetryAfter) + second - 1) / second
	w.Header()["Retry-After"] = []string{strconv.Itoa(int(seconds))}
}

// emptyBody removes the body from the request, because handle_errors must not
// pass on a body that was not verified.
func emptyBody(r *http.Request) {
	if r.Body != nil {
		// Copies of the request that earlier handlers made have this body too.
		_ = r.Body.Close()
	}
	r.Body = http.NoBody
	r.ContentLength = 0
	r.TransferEncoding = nil
	dropTrailers(r)
	delete(r.Header, "Expect")
	r.Header["Content-Length"] = []string{"0"}
}

// maxDrain is the most that is read and dropped of a refused body, in bytes.
const maxDrain = 32 << 20

// drain reads the rest of a refused body, within limits, before the answer is
// written. A sender that is still writing when its connection is closed may
// never see the answer, and some providers never send an event again if they
// get no answer. asked means that a part of the body has been read, so that a
// sender with `Expect: 100-continue` is no longer waiting.
func (h *Handler) drain(w http.ResponseWriter, r *http.Request, asked bool) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	rc := http.NewResponseController(w)
	if !asked && waitsForContinue(r) {
		// The sender waits before it writes; reading would tell it to go on.
		// A read that has already timed out keeps the server from reading too.
		closeConnection(w, r)
		_ = rc.SetReadDeadline(time.Unix(1, 0))
		return
	}
	_ = rc.SetReadDeadline(time.Now().Add(time.Duration(h.BodyTimeout)))
	if err := dropRest(r); err != nil {
		// An expired deadline stays until the answer is written. The rest of
		// this body must not be taken for the next request.
		closeConnection(w, r)
		return
	}
	_ = rc.SetReadDeadline(time.Time{})
}

// errTooMuch is returned for a body whose rest is too long to read.
var errTooMuch = errors.New("more than is drained")

// dropRest reads to the end of a body. It fails if the body breaks off or is
// too long.
func dropRest(r *http.Request) error {
	n, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxDrain))
	if err == nil && n == maxDrain {
		err = errTooMuch
	}
	return err
}

func waitsForContinue(r *http.Request) bool {
	return r.ProtoAtLeast(1, 1) && strings.EqualFold(r.Header.Get("Expect"), "100-continue")
}

// closeConnection ends an HTTP/1 connection with the answer, because the rest
// of a body may follow on it.
func closeConnection(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header()["Connection"] = []string{"close"}
	}
}

// leaveConnection has a sender come back over another connection, with HTTP/2 too: this
// one is of a configuration that is over, and Caddy has not ended it.
func leaveConnection(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor <= 2 {
		w.Header()["Connection"] = []string{"close"}
	}
}
