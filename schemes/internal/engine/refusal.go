package engine

import "errors"

// Reason is the kind of a refusal: one word of a-z and _, for logs and metric
// labels. A scheme in Go may define its own reasons; the gateway answers them
// like SignatureMismatch. A Reason is an error that errors.Is finds in a
// Refusal.
type Reason string

// Error returns the word.
func (r Reason) Error() string { return string(r) }

// The reasons that a scheme can give.
const (
	// MissingSignature means no signature header, or an empty one.
	MissingSignature Reason = "missing_signature"
	// MalformedSignature means the signature header is repeated, too long or
	// does not follow the scheme's grammar.
	MalformedSignature Reason = "malformed_signature"
	// MissingSignedHeader means a header that takes part in the signed bytes is
	// absent or empty.
	MissingSignedHeader Reason = "missing_signed_header"
	// MalformedSignedHeader means such a header is repeated or does not follow
	// the grammar.
	MalformedSignedHeader Reason = "malformed_signed_header"
	// SignatureMismatch means no configured key produces any of the signatures
	// sent.
	SignatureMismatch Reason = "signature_mismatch"
)

// The reasons under the names that users of the library expect, for errors.Is.
const (
	ErrMissingSignature      = MissingSignature
	ErrMalformedSignature    = MalformedSignature
	ErrMissingSignedHeader   = MissingSignedHeader
	ErrMalformedSignedHeader = MalformedSignedHeader
	ErrSignatureMismatch     = SignatureMismatch
	ErrNoSignedTime          = NoSignedTime
	ErrStale                 = Stale
	ErrFuture                = Future
)

// Refusal is the error for a delivery that is rejected. Many deliveries share
// one, so it is immutable. Refuse makes one.
type Refusal struct {
	reason Reason
	detail string
}

// Refuse returns a Refusal. The detail tells the operator what is wrong with
// which header. It is fixed text and never contains anything that the sender
// wrote.
func Refuse(reason Reason, detail string) error { return Refusal{reason, detail} }

// Reason returns the kind of the refusal.
func (r Refusal) Reason() Reason { return r.reason }

// Detail tells the operator what is wrong with which header. It never contains
// anything that the sender wrote.
func (r Refusal) Detail() string { return r.detail }

// Error returns the reason and the detail.
func (r Refusal) Error() string { return string(r.reason) + ": " + r.detail }

// Unwrap returns the reason.
func (r Refusal) Unwrap() error { return r.reason }

// refusalOf returns a scheme's error if it is a Refusal, or the Refusal that it
// wraps. Other errors may contain text from the sender, so they are replaced by
// unexplained.
func refusalOf(err error) error {
	refused, ok := err.(Refusal)                       //nolint:errorlint // the usual case, returned unchanged so that refusing allocates nothing
	if _, pointer := err.(*Refusal); !ok && !pointer { //nolint:errorlint // a pointer may be nil, and no code makes one
		if refused, ok = errors.AsType[Refusal](err); ok {
			err = refused
		}
	}
	if !ok || !refused.reason.isWord() {
		return unexplained
	}
	return err
}

var unexplained = Refuse(SignatureMismatch, "the scheme refuses it and gives no reason")

// isWord reports whether a reason can be the label of a metric.
func (r Reason) isWord() bool {
	for i := range len(r) {
		if (r[i] < 'a' || r[i] > 'z') && r[i] != '_' {
			return false
		}
	}
	return r != "" && len(r) <= 64
}

var mismatch = Refuse(SignatureMismatch, "none of the configured secrets produces this signature for this body")

// Refusals are the refusals of one header. They are made once, so that refusing
// allocates nothing.
type Refusals struct {
	Missing, Repeated, Malformed error
}

// SignatureRefusals returns the refusals for a signature header.
func SignatureRefusals(name, grammar string) Refusals {
	return Refusals{
		Missing:   Refuse(MissingSignature, name+" is absent or empty"),
		Repeated:  Refuse(MalformedSignature, name+" is there more than once"),
		Malformed: Refuse(MalformedSignature, name+" is not "+grammar),
	}
}

// SignedHeaderRefusals returns the refusals for another signed header.
func SignedHeaderRefusals(name, grammar string) Refusals {
	return Refusals{
		Missing:   Refuse(MissingSignedHeader, name+" is absent or empty"),
		Repeated:  Refuse(MalformedSignedHeader, name+" is there more than once"),
		Malformed: Refuse(MalformedSignedHeader, name+" is not "+grammar),
	}
}
