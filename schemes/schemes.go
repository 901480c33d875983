// Package schemes verifies webhook deliveries, and signs them for tests. It
// knows how each provider signs: which header holds the signature, which bytes
// are signed, with which key and algorithm, and where a verified body names its
// event.
//
// NewVerifier makes a Verifier for a scheme and its secrets. Its Verify checks
// the signature and the signed time of a request, and returns the event:
//
//	v, err := schemes.NewVerifier("stripe", []string{secret})
//	event, err := v.Verify(r, body)
//	if errors.Is(err, schemes.ErrStale) { … }
//
// A program that verifies a body while it arrives uses Verifier.Begin. Neither
// keeps a history: a program that must not process an event twice has to
// remember event IDs, or bodies for schemes without IDs.
//
// Most schemes are a Definition, which is data. Another package adds one with
//
//	func init() { schemes.Define("name", schemes.Definition{…}) }
//
// For a scheme that a definition cannot describe, it writes an Implementation
// in Go and adds it with Register. The package does no I/O. Besides the
// standard library it imports only gjson.
//
// # Stability
//
// These are stable: NewVerifier, Verifier.Verify, the options, Event, the
// errors and the first word of their texts, Definition with its JSON, Define,
// Get, All, Names and the methods of Scheme. The rest may change between minor
// versions: it is for programs that verify a body while it arrives, as
// Hooklatch's own handler does, and for schemes in Go. The comments of the
// groups below say which they are.
package schemes

import (
	"net/http"
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
	_ "github.com/hooklatch/hooklatch/schemes/providers" // registers the built-in schemes
)

// Verifying.
type (
	// Verifier verifies the deliveries of one scheme with one or more secrets.
	// It is safe for concurrent use.
	Verifier = engine.Verifier
	// Option configures a Verifier.
	Option = engine.Option
	// Event holds the facts about the event that a verified delivery reports.
	Event = engine.Event
	// Unsigned is the value of a header that is not signed.
	Unsigned = engine.Unsigned
)

// Verifying a body while it arrives. These may change between minor versions,
// except Request, which is also a part of Delivery.
type (
	// Verification is one delivery being verified while its body arrives.
	Verification = engine.Verification
	// Request is the part of a delivery that a scheme reads before the body.
	Request = engine.Request
	// PublicURL is the URL at which senders reach a program, as they write it.
	PublicURL = engine.PublicURL
	// Window is the range of signed times that are fresh.
	Window = engine.Window
)

// Errors.
type (
	// Refusal is the error for a delivery that is rejected. It is immutable.
	Refusal = engine.Refusal
	// Reason is the kind of a refusal. It is an error that errors.Is finds in a
	// Refusal.
	Reason = engine.Reason
	// SecretError is a secret that a scheme cannot use. It never contains the
	// secret.
	SecretError = engine.SecretError
)

// Schemes.
type (
	// Scheme is how one provider signs its deliveries. It is immutable.
	Scheme = engine.Scheme
	// Delivery is a delivery to be signed.
	Delivery = engine.Delivery
	// TimeSource says where a scheme's signed time comes from.
	TimeSource = engine.TimeSource
	// Description says in words where the deliveries of a scheme carry each
	// value.
	Description = engine.Description
	// Witness is the evidence that a scheme is right.
	Witness = engine.Witness
	// Defaults are where a provider's deliveries need other defaults.
	Defaults = engine.Defaults
	// Sending is how a provider's sender behaves: its deadline, retries and
	// limits.
	Sending = engine.Sending
)

// Definitions.
type (
	// Definition is a scheme as data. Its Compile turns it into a Scheme.
	Definition = engine.Definition
	// SignatureForm says where in a request the signatures are, and in which
	// form.
	SignatureForm = engine.SignatureForm
	// Variant is one kind of signature in a list.
	Variant = engine.Variant
	// Place is where a value is.
	Place = engine.Place
	// TimePlace is where a time is.
	TimePlace = engine.TimePlace
	// BodyTime is a time in the body.
	BodyTime = engine.BodyTime
	// EventPlace is where the type of the event is.
	EventPlace = engine.EventPlace
)

// Schemes in Go. These may change between minor versions.
type (
	// Implementation is a scheme in Go, for what a Definition cannot describe.
	Implementation = engine.Implementation
	// SignedHeaders holds the values read from the headers of a delivery before
	// its body.
	SignedHeaders = engine.SignedHeaders
	// Key is the key that a secret stands for. It determines the algorithm.
	Key = engine.Key
	// Algorithm is how a delivery is signed.
	Algorithm = engine.Algorithm
	// Handshake is a request with which a provider checks that an endpoint
	// belongs to its user, before it delivers anything to it.
	Handshake = engine.Handshake
	// Reply is the answer to a handshake.
	Reply = engine.Reply
)

// MaxUnsignedHandshake bounds, in bytes, the body of a handshake that is not signed.
const MaxUnsignedHandshake = engine.MaxUnsigned

// NewVerifier returns a verifier for a registered scheme and the secrets, any
// one of which may match. Without options it checks a signed send time against
// the system's clock with DefaultTolerance. The error is a *SecretError for a
// secret that is empty or cannot be decoded.
func NewVerifier(scheme string, secrets []string, options ...Option) (*Verifier, error) {
	return engine.NewVerifier(scheme, secrets, options...)
}

// Tolerance sets how far the signed time may be from the clock. A past of zero
// is DefaultTolerance; a future of zero is as long as the past, at most
// DefaultTolerance. A time that only the body holds need not be the send time,
// so it is checked only with this option.
func Tolerance(past, future time.Duration) Option { return engine.Tolerance(past, future) }

// IgnoreTime turns off the check of the signed time. A captured delivery then
// verifies forever, unless the program remembers what has been delivered.
func IgnoreTime() Option { return engine.IgnoreTime() }

// Clock sets the clock that signed times are checked against. Default:
// time.Now.
func Clock(now func() time.Time) Option { return engine.Clock(now) }

// WithPublicURL sets the URL at which senders reach the program, such as
// https://hooks.example.com. It is for schemes that sign the URL, when a proxy
// before the program changes scheme, host or path. See ParsePublicURL.
func WithPublicURL(text string) Option { return engine.WithPublicURL(text) }

// ParsePublicURL keeps the text as it is: the provider signs its own spelling,
// in which :443 and the case of letters count.
func ParsePublicURL(text string) (PublicURL, error) { return engine.ParsePublicURL(text) }

// RequestOf returns the Request that schemes read, at the public URL if it is
// set. The request must be as its sender wrote it. Headers such as
// X-Forwarded-Proto do not count: a sender that can write them would choose the
// URL that its delivery is verified for.
func RequestOf(r *http.Request, public PublicURL) Request { return engine.RequestOf(r, public) }

// NewWindow makes a window. A past of zero is DefaultTolerance; a future of
// zero is as long as the past, at most DefaultTolerance.
func NewWindow(past, future time.Duration) Window { return engine.NewWindow(past, future) }

// Short formats a duration to the millisecond, without the trailing zero units
// that time.Duration prints, as in 5m0s.
func Short(d time.Duration) string { return engine.Short(d) }

// Get returns the scheme with a name.
func Get(name string) (Scheme, bool) { return engine.Get(name) }

// All returns the registered schemes, sorted by name.
func All() []Scheme { return engine.All() }

// Names returns the names of the registered schemes, sorted.
func Names() []string { return engine.Names() }

// Define compiles a definition and registers the scheme. It is meant for init
// functions and panics when the definition is wrong or the name is taken.
func Define(name string, d Definition) { engine.Define(name, d) }

// Register adds a scheme in Go under its name. It is meant for init functions
// and panics when the name is taken or the implementation lacks a part.
func Register(i Implementation) { engine.Register(i) }

// Refuse returns a Refusal, for a scheme in Go. The detail tells the operator
// what is wrong with which header. It is fixed text and never contains anything
// that the sender wrote.
func Refuse(reason Reason, detail string) error { return engine.Refuse(reason, detail) }

// DefaultTolerance is how far a signed send time may be from the clock, in
// either direction, unless Tolerance sets another.
const DefaultTolerance = engine.DefaultTolerance

// The reasons of refusals. A delivery refused with NoSignedTime, Stale or
// Future is authentic.
const (
	// MissingSignature means no signature header, or an empty one.
	MissingSignature = engine.MissingSignature
	// MalformedSignature means the signature header is repeated, too long or
	// does not follow the scheme's grammar.
	MalformedSignature = engine.MalformedSignature
	// MissingSignedHeader means a header that takes part in the signed bytes is
	// absent or empty.
	MissingSignedHeader = engine.MissingSignedHeader
	// MalformedSignedHeader means such a header is repeated or does not follow
	// the grammar.
	MalformedSignedHeader = engine.MalformedSignedHeader
	// SignatureMismatch means no configured key produces any of the signatures
	// sent.
	SignatureMismatch = engine.SignatureMismatch
	// NoSignedTime means the tolerance applies to a time in the body, and the
	// body has none.
	NoSignedTime = engine.NoSignedTime
	// Stale means the signed time is older than the window allows.
	Stale = engine.Stale
	// Future means the signed time is further ahead of the clock than the
	// window allows.
	Future = engine.Future
)

// The reasons as errors, for errors.Is.
const (
	ErrMissingSignature      = engine.ErrMissingSignature
	ErrMalformedSignature    = engine.ErrMalformedSignature
	ErrMissingSignedHeader   = engine.ErrMissingSignedHeader
	ErrMalformedSignedHeader = engine.ErrMalformedSignedHeader
	ErrSignatureMismatch     = engine.ErrSignatureMismatch
	ErrNoSignedTime          = engine.ErrNoSignedTime
	ErrStale                 = engine.ErrStale
	ErrFuture                = engine.ErrFuture
)

// The algorithms. ECDSAP256 is over SHA-256, with signatures in ASN.1 DER.
const (
	HMACSHA256 = engine.HMACSHA256
	HMACSHA1   = engine.HMACSHA1
	HMACSHA384 = engine.HMACSHA384
	HMACSHA512 = engine.HMACSHA512
	Ed25519    = engine.Ed25519
	ECDSAP256  = engine.ECDSAP256
)

// The sources of signed times.
const (
	// NoTime means no signed value says when the delivery was sent.
	NoTime = engine.NoTime
	// TimeInHeaders means the headers hold the send time, and it is signed.
	TimeInHeaders = engine.TimeInHeaders
	// TimeInBody means only the signed body holds a time. It need not be the
	// send time, so it is checked only if the user asks for it.
	TimeInBody = engine.TimeInBody
)

// The values of Defaults.Replay.
const (
	// ReplayDelivery takes equal bodies with different send times for different
	// events.
	ReplayDelivery = engine.ReplayDelivery
	// ReplayOff keeps no history: equal bodies are different events, and nothing
	// else that is sent tells them apart.
	ReplayOff = engine.ReplayOff
)

// The values of OnConflict.
const (
	// ConflictReject rejects the delivery, and the provider sees a failure.
	ConflictReject = engine.ConflictReject
	// ConflictAck acknowledges the delivery and does not forward it, for a
	// provider that sends one event several times and never retries.
	ConflictAck = engine.ConflictAck
	// ConflictForward forwards the delivery as a new event, for a provider that
	// sends equal bodies as different events. A replay with other unsigned
	// values is then forwarded too.
	ConflictForward = engine.ConflictForward
)
