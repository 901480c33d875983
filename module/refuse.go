package module

import (
	"errors"
	"net/http"
	"sync"

	"github.com/hooklatch/hooklatch/schemes"
)

// Reason is why a delivery was not passed on, or not acknowledged: one word
// from a fixed list. The schemes have some of their own.
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
)

// verdict is what became of a request.
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
	schemes.NoSignedTime:          http.StatusUnauthorized,
	schemes.Stale:                 http.StatusUnauthorized,
	schemes.Future:                http.StatusUnauthorized,
	storeUnavailable:              http.StatusServiceUnavailable,
	inFlight:                      http.StatusServiceUnavailable,
	conflict:                      http.StatusConflict, // 200 where it is acknowledged
	duplicate:                     http.StatusConflict, // with on_duplicate reject
}

// statusFor returns the HTTP status of a reason. One that a scheme made up
// itself is about the signature, so it is 401.
func statusFor(reason Reason) int {
	if status, known := statuses[reason]; known {
		return status
	}
	return http.StatusUnauthorized
}

// texts are the errors of the reasons, made once. They become
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

// otherReason stands for a scheme's own reason that comes after too many others.
const otherReason Reason = "other"

// ownReasons are the reasons that schemes written in Go made up themselves. A
// scheme should have a few constants. The bound keeps metrics, and the keys by
// which the log is sampled, finite if it builds reasons from what it receives.
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

// refusal is why a request goes no further.
type refusal struct {
	reason Reason
	// detail is for the log. It never holds what the sender wrote.
	detail string
	// unread is set where bytes of the body may still be on their way.
	unread bool
	// asked is set where some of them have been read.
	asked bool
}

func refuseFor(reason Reason, detail string) *refusal {
	return &refusal{reason: reason, detail: detail}
}

// refusalOf takes over the reason and the detail of a scheme.
func refusalOf(err error) *refusal {
	if refused, ok := errors.AsType[*schemes.Refusal](err); ok {
		return refuseFor(bounded(refused.Reason), refused.Detail)
	}
	return refuseFor(schemes.SignatureMismatch, err.Error())
}
