// Package schemes verifies webhook deliveries, and signs them for tests. It
// knows how each provider signs: which header holds the signature, which bytes
// are signed, with which key and algorithm, and what a verified body tells.
//
// NewVerifier makes a Verifier for a scheme and its secrets. Its Verify judges
// the signature and the signed time of a request, and returns the event:
//
//	v, err := schemes.NewVerifier("stripe", []string{secret})
//	event, err := v.Verify(r, body)
//	if errors.Is(err, schemes.ErrStale) { … }
//
// A program that verifies while a body arrives uses Verifier.Begin. Neither keeps
// a history: a program that must not process an event twice remembers the IDs
// of events, or for schemes without ids the bodies.
//
// Most schemes are a Definition, which is data. Another package adds one with
//
//	func init() { schemes.Define("name", schemes.Definition{…}) }
//
// and writes an Implementation, in Go, for a scheme that a definition cannot
// describe. Register adds it. The package does no I/O. Besides the standard
// library it imports gjson only.
//
// # Stability
//
// Stable are NewVerifier, Verifier.Verify, the options, Event, the errors and the
// first word of their texts, Definition with its JSON, Define, Get, All, Names and
// the methods of Scheme. The rest may change between minor versions: it is for
// programs that verify a body while it arrives, as Hooklatch's own handler does,
// and for schemes in Go. The groups below say so.
package schemes

import (
	"net/http"
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
	_ "github.com/hooklatch/hooklatch/schemes/providers" // registers the built-in schemes
)

// Verifying.
type (
	// Verifier verifies the deliveries of one scheme under one or more secrets.
	// It may be used by many goroutines at once.
	Verifier = engine.Verifier
	// Option changes how a Verifier judges deliveries.
	Option = engine.Option
	// Event is what a verified delivery tells about its event.
	Event = engine.Event
	// Unsigned is the value of a header that is not signed.
	Unsigned = engine.Unsigned
)

// Verifying a body while it arrives. These may change between minor versions, but
// for Request, which a Delivery has too.
type (
	// Verification is one delivery being verified while its body arrives.
	Verification = engine.Verification
	// Request is the part of a delivery that a scheme sees before its body.
	Request = engine.Request
	// PublicURL is where senders reach a program, as they write it.
	PublicURL = engine.PublicURL
	// Window is the range of signed times that are fresh.
	Window = engine.Window
)

// Errors.
type (
	// Refusal is the error of a delivery that is not authentic as it stands.
	// Nothing can change it.
	Refusal = engine.Refusal
	// Reason is the kind of a refusal. It is an error, which errors.Is finds in
	// a Refusal.
	Reason = engine.Reason
	// SecretError is a secret that a scheme cannot use. It never holds the secret.
	SecretError = engine.SecretError
)

// Schemes.
type (
	// Scheme is how one provider signs its deliveries. Nothing can change it.
	Scheme = engine.Scheme
	// Delivery is a delivery to be signed.
	Delivery = engine.Delivery
	// TimeSource says where a scheme's signed time comes from.
	TimeSource = engine.TimeSource
	// Description says in words where the deliveries of a scheme have what.
	Description = engine.Description
	// Witness is what has shown that a scheme is right.
	Witness = engine.Witness
	// Defaults are where a provider's deliveries need other defaults.
	Defaults = engine.Defaults
	// Sending is what a provider's sender does with an answer.
	Sending = engine.Sending
)

// Definitions.
type (
	// Definition is a scheme as data. Its Compile makes a Scheme of it.
	Definition = engine.Definition
	// SignatureForm is where the signatures are in a request, and in which form.
	SignatureForm = engine.SignatureForm
	// Variant is one kind of signatures in a list.
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
	// SignedHeaders is what the headers of a delivery say before its body is known.
	SignedHeaders = engine.SignedHeaders
	// Key is what a secret stands for. It decides the algorithm.
	Key = engine.Key
	// Algorithm is how a delivery is signed.
	Algorithm = engine.Algorithm
	// Handshake is a request with which a provider makes sure that an endpoint
	// is its user's, before it delivers anything to it.
	Handshake = engine.Handshake
	// Reply is the answer to a handshake.
	Reply = engine.Reply
)

// MaxUnsignedHandshake bounds, in bytes, the body of a handshake that is not signed.
const MaxUnsignedHandshake = engine.MaxUnsigned

// NewVerifier prepares a verifier of a registered scheme for the secrets, any
// one of which may match. Without options it judges a signed send time by the
// system's clock and DefaultTolerance. The error is a *SecretError for a secret
// that is empty or cannot be decoded.
func NewVerifier(scheme string, secrets []string, options ...Option) (*Verifier, error) {
	return engine.NewVerifier(scheme, secrets, options...)
}

// Tolerance sets how far the signed time may be from the clock. A past of zero
// is DefaultTolerance; a future of zero is as long as the past, at most
// DefaultTolerance. A time that only the body has need not be the send time, so
// it is judged only with this option.
func Tolerance(past, future time.Duration) Option { return engine.Tolerance(past, future) }

// IgnoreTime leaves the signed time unjudged. A captured delivery then verifies
// for ever, unless the program remembers what has been delivered.
func IgnoreTime() Option { return engine.IgnoreTime() }

// Clock sets the clock that signed times are judged by. Default: time.Now.
func Clock(now func() time.Time) Option { return engine.Clock(now) }

// WithPublicURL sets where senders reach the program, for schemes that sign the
// URL and a program after a proxy that changes scheme, host or path, such as
// https://hooks.example.com. See ParsePublicURL.
func WithPublicURL(text string) Option { return engine.WithPublicURL(text) }

// ParsePublicURL takes the text as it is: what is signed is the provider's
// spelling, in which :443 and the case of letters count.
func ParsePublicURL(text string) (PublicURL, error) { return engine.ParsePublicURL(text) }

// RequestOf returns what schemes see of a request that is as its sender wrote
// it, at the public URL if there is one. Headers such as X-Forwarded-Proto do
// not count: a sender that can write them would choose for which URL a delivery
// is taken.
func RequestOf(r *http.Request, public PublicURL) Request { return engine.RequestOf(r, public) }

// NewWindow makes a window. A past of zero is DefaultTolerance; a future of
// zero is as long as the past, at most DefaultTolerance.
func NewWindow(past, future time.Duration) Window { return engine.NewWindow(past, future) }

// Short writes a duration to the millisecond, without the zeros that
// time.Duration leaves behind.
func Short(d time.Duration) string { return engine.Short(d) }

// Get returns the scheme of a name.
func Get(name string) (Scheme, bool) { return engine.Get(name) }

// All returns the registered schemes, sorted by name.
func All() []Scheme { return engine.All() }

// Names lists the names of the registered schemes in order.
func Names() []string { return engine.Names() }

// Define compiles a definition and registers the scheme. It is meant for init
// functions and panics when the definition is wrong or the name is taken.
func Define(name string, d Definition) { engine.Define(name, d) }

// Register adds a scheme in Go under its name. It is meant for init functions
// and panics when the name is taken or the implementation lacks a part.
func Register(i Implementation) { engine.Register(i) }

// Refuse makes a Refusal, for a scheme in Go. The detail is for the operator: what
// is wrong with which header. It is fixed text and never holds what the sender
// wrote.
func Refuse(reason Reason, detail string) error { return engine.Refuse(reason, detail) }

// DefaultTolerance is how far a signed send time may be from the clock, in
// either direction, where nobody says otherwise.
const DefaultTolerance = engine.DefaultTolerance

// The reasons that a scheme can give. NoSignedTime, Stale and Future are those
// of a delivery that is authentic.
const (
	// MissingSignature means no signature header, or an empty one.
	MissingSignature = engine.MissingSignature
	// MalformedSignature means the signature header is repeated, too long or not
	// of the scheme's grammar.
	MalformedSignature = engine.MalformedSignature
	// MissingSignedHeader means a header that takes part in the signed bytes is
	// absent or empty.
	MissingSignedHeader = engine.MissingSignedHeader
	// MalformedSignedHeader means such a header is repeated or not of the grammar.
	MalformedSignedHeader = engine.MalformedSignedHeader
	// SignatureMismatch means no configured key makes any of the MACs sent.
	SignatureMismatch = engine.SignatureMismatch
	// NoSignedTime means a time was to be judged, and the body has none.
	NoSignedTime = engine.NoSignedTime
	// Stale means it is older than the window allows.
	Stale = engine.Stale
	// Future means it is further ahead of the clock than the window allows.
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
	// NoTime means nothing that is signed says when the delivery was sent.
	NoTime = engine.NoTime
	// TimeInHeaders means the headers hold the send time, and it is signed.
	TimeInHeaders = engine.TimeInHeaders
	// TimeInBody means only the signed body holds a time, and it need not be the
	// send time, so it is judged only if the user asks for it.
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
	// ConflictReject refuses the delivery, and the provider sees a failure.
	ConflictReject = engine.ConflictReject
	// ConflictAck acknowledges the delivery and does not forward it, for a
	// provider that sends one event several times and no event again.
	ConflictAck = engine.ConflictAck
	// ConflictForward forwards it as an event of its own, for a provider that
	// sends equal bodies as different events. A replay with other unsigned
	// values is then forwarded too.
	ConflictForward = engine.ConflictForward
)
