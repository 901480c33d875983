package engine

import "errors"

// Reason is the kind of a refusal: one word of a-z and _, so that it can stand
// in logs and be the label of a metric. A scheme in Go may have reasons of its
// own; a gateway answers those like SignatureMismatch. It is an error, which
// errors.Is finds in a *Refusal.
type Reason string

// Error returns the word.
func (r Reason) Error() string { return string(r) }

// The reasons that a scheme can give.
const (
	// MissingSignature means no signature header, or an empty one.
	MissingSignature Reason = "missing_signature"
	// MalformedSignature means the signature header is repeated, too long or not
	// of the scheme's grammar.
	MalformedSignature Reason = "malformed_signature"
	// MissingSignedHeader means a header that takes part in the signed bytes is
	// absent or empty.
	MissingSignedHeader Reason = "missing_signed_header"
	// MalformedSignedHeader means such a header is repeated or not of the grammar.
	MalformedSignedHeader Reason = "malformed_signed_header"
	// SignatureMismatch means no configured key makes any of the MACs sent.
	SignatureMismatch Reason = "signature_mismatch"
)

// The reasons as errors, for errors.Is.
var (
	ErrMissingSignature      error = MissingSignature
	ErrMalformedSignature    error = MalformedSignature
	ErrMissingSignedHeader   error = MissingSignedHeader
	ErrMalformedSignedHeader error = MalformedSignedHeader
	ErrSignatureMismatch     error = SignatureMismatch
	ErrNoSignedTime          error = NoSignedTime
	ErrStale                 error = Stale
	ErrFuture                error = Future
)

// Refusal is the error of a delivery that is not authentic as it stands.
type Refusal struct {
	Reason Reason
	// Detail is for the operator: what is wrong with which header. It is
	// fixed text and never holds what the sender wrote.
	Detail string
}

// Error returns the reason and the detail.
func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Detail }

// Unwrap returns the reason.
func (r *Refusal) Unwrap() error { return r.Reason }

// refusalOf makes sure that what a scheme refuses with is a *Refusal with a
// reason, and no nil pointer. Other errors of a scheme may hold what the sender
// wrote, so their text is not passed on.
func refusalOf(err error) *Refusal {
	if refused, ok := errors.AsType[*Refusal](err); ok && refused != nil && refused.Reason.isWord() {
		return refused
	}
	return unexplained
}

var unexplained = &Refusal{SignatureMismatch, "the scheme refuses it and gives no reason"}

// isWord reports whether a reason can be the label of a metric.
func (r Reason) isWord() bool {
	for i := range len(r) {
		if (r[i] < 'a' || r[i] > 'z') && r[i] != '_' {
			return false
		}
	}
	return r != "" && len(r) <= 64
}

var mismatch = &Refusal{SignatureMismatch, "none of the configured secrets produces this signature for this body"}

// Refusals are made once per header, so that refusing costs no memory.
type Refusals struct {
	Missing, Repeated, Malformed *Refusal
}

// SignatureRefusals makes the refusals for a signature header.
func SignatureRefusals(name, grammar string) Refusals {
	return Refusals{
		Missing:   &Refusal{MissingSignature, name + " is absent or empty"},
		Repeated:  &Refusal{MalformedSignature, name + " is there more than once"},
		Malformed: &Refusal{MalformedSignature, name + " is not " + grammar},
	}
}

// SignedHeaderRefusals makes the refusals for another signed header.
func SignedHeaderRefusals(name, grammar string) Refusals {
	return Refusals{
		Missing:   &Refusal{MissingSignedHeader, name + " is absent or empty"},
		Repeated:  &Refusal{MalformedSignedHeader, name + " is there more than once"},
		Malformed: &Refusal{MalformedSignedHeader, name + " is not " + grammar},
	}
}
