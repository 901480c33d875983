// Package engine implements schemes: definitions and their grammar, keys,
// reading headers and bodies, verifying and signing, and the registry. The
// package schemes is its public API.
package engine

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Scheme is how one provider signs its deliveries. It is immutable, so any
// number of verifiers can share it. Definition.Compile and
// Implementation.Compile make one. The zero value is no scheme.
type Scheme struct{ implementation *Implementation }

// Implementation is a scheme in Go, for a provider that a Definition cannot
// describe. Compile and Register copy it.
type Implementation struct {
	// Name is the name that users write: the provider's own, in lower case.
	Name string

	// Source names the documentation that the rules come from.
	Source string

	// Witness is the evidence that the rules are right.
	Witness Witness

	// Sending is how the provider's sender behaves.
	Sending Sending

	// Description says in words where deliveries carry each value.
	Description Description

	// SignatureHeader is the header that holds the signature.
	SignatureHeader string

	// SignedHeaders are the other headers that take part in the signed bytes.
	SignedHeaders []string

	// AliasHeaders are other names under which these headers are sent.
	AliasHeaders []string

	// UnsignedHeaders are headers that the provider sends and an application
	// can use, but that are not signed, so anyone can change them.
	UnsignedHeaders []string

	// TokenHeader is a header in which the provider sends a plain secret, which
	// signs nothing. It is only mentioned when a signature is missing.
	TokenHeader string

	// UniqueOccurrence says that the provider documents its occurrence ID as
	// unique for each event, so that new content under a delivered ID is a
	// conflict. Otherwise the ID is only information: new signed content takes
	// the secret to make, so it is a new event whatever ID it carries. A scheme
	// with Boundaries has no unique IDs.
	UniqueOccurrence bool

	// OnConflict says what happens to delivered content that arrives again with
	// other unsigned values, unless the user chooses. Default: ConflictReject.
	OnConflict string

	// Defaults are other defaults than the general ones.
	Defaults Defaults

	// SignedBytes says in a few words what the signature covers.
	SignedBytes string

	// Time says where the signed time is, if there is one.
	Time TimeSource

	// SignsID reports whether deliveries have a signed id, which is then their
	// identity. If the id is in the body, some deliveries may lack it.
	SignsID bool

	// SignsRequest reports whether the method or the URL is signed, so that
	// Begin and Sign need them.
	SignsRequest bool

	// BodyBegins is the text that the body must begin with, because another
	// value is signed directly before it. Empty: any text.
	BodyBegins string

	// SecretForm says in a few words how the secret is written, such as text or
	// base64.
	SecretForm string

	// Keys turns a configured secret into the keys that it can stand for, the
	// likeliest first. There is one, unless the provider's documentation can be
	// read in two ways. Its errors never contain the secret.
	Keys func(secret string) ([]Key, error)

	// SigningKey turns a secret into the key that signs. Nil: the first of
	// Keys.
	SigningKey func(secret string) (Key, error)

	// Begin reads the signed headers before the body arrives. Its errors are of
	// type Refusal. The SignedHeaders are empty when it is called.
	Begin func(r Request, c *SignedHeaders) error

	// SignedText appends the signed text to dst, for schemes that do not sign
	// Prefix, body and Suffix. The verification then keeps the whole body for
	// it, and the text rather than the body is the identity of a delivery. Its
	// errors are of type Refusal. Nil: Prefix, body and Suffix are signed.
	//
	// The candidate counts from 0 to Candidates-1, for providers that may have
	// signed any one of several texts: each may match. Candidate 0 always
	// exists; for the others SignedText may return ErrNoCandidate.
	SignedText func(dst []byte, c *SignedHeaders, body []byte, candidate int) ([]byte, error)

	// Candidates is how many texts SignedText makes of a delivery. Default: 1.
	Candidates int

	// Boundaries appends to dst a text that distinguishes deliveries with the
	// same SignedText, for schemes whose signed text does not show where its
	// parts end. It is not signed, but the same on every retry. Nil: the signed
	// text is unambiguous.
	Boundaries func(dst []byte, c *SignedHeaders, body []byte) []byte

	// Handshake answers the requests that the provider sends before it delivers
	// anything. Nil: it sends none. A handshake is answered only if the user
	// enables that.
	Handshake *Handshake

	// Read reads the event from the signed headers and the whole body. It is
	// called after the signature is verified. A body that does not follow the
	// provider's documentation yields an empty event and no error.
	Read func(c *SignedHeaders, body []byte) Event

	// Sign returns the headers of a delivery as the provider would send them.
	// Its errors say which input is missing or not accepted.
	Sign func(key Key, d Delivery) (http.Header, error)
}

// The values of OnConflict.
const (
	// ConflictReject rejects the delivery, and the provider sees a failure.
	ConflictReject = "reject"
	// ConflictAck acknowledges the delivery and does not forward it, for a
	// provider that sends one event several times and never retries.
	ConflictAck = "ack"
	// ConflictForward forwards the delivery as a new event, for a provider that
	// sends equal bodies as different events. A replay with other unsigned
	// values is then forwarded too.
	ConflictForward = "forward"
)

// Defaults are where a provider's deliveries need other defaults than those that
// hold for all others. The zero value is none.
type Defaults struct {
	// Tolerance is how old a signed send time may be. Default: DefaultTolerance.
	Tolerance time.Duration

	// Replay is ReplayDelivery, ReplayOff or empty, which is neither.
	Replay string

	// Reason says why, for people. It is only shown.
	Reason string
}

// The values of Defaults.Replay.
const (
	// ReplayDelivery takes equal bodies with different send times for different
	// events.
	ReplayDelivery = "delivery"
	// ReplayOff keeps no history: equal bodies are different events, and nothing
	// else that is sent tells them apart.
	ReplayOff = "off"
)

// Words returns the options that a user would write for the same, for people.
func (d Defaults) Words() []string {
	var options []string
	if d.Tolerance > 0 {
		options = append(options, "tolerance "+Short(d.Tolerance))
	}
	switch d.Replay {
	case ReplayDelivery:
		options = append(options, "replay key delivery")
	case ReplayOff:
		options = append(options, "replay off")
	}
	return options
}

// TimeSource says where a scheme's signed time comes from.
type TimeSource int

const (
	// NoTime means no signed value says when the delivery was sent.
	NoTime TimeSource = iota
	// TimeInHeaders means the headers hold the send time, and it is signed.
	TimeInHeaders
	// TimeInBody means only the signed body holds a time. It need not be the
	// send time, so it is checked only if the user asks for it.
	TimeInBody
)

// Compile checks an implementation and makes a scheme of it.
func (i Implementation) Compile() (Scheme, error) {
	for _, part := range []struct {
		name    string
		present bool
	}{
		{"Name", i.Name != ""},
		{"SignatureHeader", i.SignatureHeader != ""},
		{"Keys", i.Keys != nil},
		{"Begin", i.Begin != nil},
		{"Read", i.Read != nil},
		{"Sign", i.Sign != nil},
	} {
		if !part.present {
			return Scheme{}, fmt.Errorf("%s is empty", part.name)
		}
	}
	return i.seal(), nil
}

// seal copies an implementation into a scheme, so that no other code can change
// it.
func (i Implementation) seal() Scheme {
	i.SignedHeaders = slices.Clone(i.SignedHeaders)
	i.AliasHeaders = slices.Clone(i.AliasHeaders)
	i.UnsignedHeaders = slices.Clone(i.UnsignedHeaders)
	if i.Handshake != nil {
		i.Handshake = new(*i.Handshake)
	}
	return Scheme{&i}
}

// Derive returns a changed copy of a scheme. The package schemes does not
// export it: it is for package explain, which tries variations of a scheme.
func Derive(s Scheme, change func(*Implementation)) Scheme {
	i := *s.show().seal().implementation
	change(&i)
	return i.seal()
}

var noScheme Implementation

// show returns the implementation, for reading only. For the zero Scheme it is
// empty.
func (s Scheme) show() *Implementation { return cmp.Or(s.implementation, &noScheme) }

// Name is the name that users write: the provider's own, in lower case.
func (s Scheme) Name() string { return s.show().Name }

// Source names the documentation that the rules come from.
func (s Scheme) Source() string { return s.show().Source }

// Witness is the evidence that the rules are right.
func (s Scheme) Witness() Witness { return s.show().Witness }

// Sending is how the provider's sender behaves.
func (s Scheme) Sending() Sending { return s.show().Sending }

// Description says in words where deliveries carry each value.
func (s Scheme) Description() Description { return s.show().Description }

// SignatureHeader is the header that holds the signature.
func (s Scheme) SignatureHeader() string { return s.show().SignatureHeader }

// TokenHeader returns the header in which the provider sends a plain secret,
// which signs nothing, or nothing if there is none.
func (s Scheme) TokenHeader() string { return s.show().TokenHeader }

// SignedHeaders returns the other headers that take part in the signed bytes.
func (s Scheme) SignedHeaders() []string { return slices.Clone(s.show().SignedHeaders) }

// AliasHeaders returns other names under which these headers are sent.
func (s Scheme) AliasHeaders() []string { return slices.Clone(s.show().AliasHeaders) }

// UnsignedHeaders returns headers that the provider sends and an application
// can use, but that are not signed, so anyone can change them.
func (s Scheme) UnsignedHeaders() []string { return slices.Clone(s.show().UnsignedHeaders) }

// UniqueOccurrence reports whether the provider documents its occurrence ID as
// unique for each event.
func (s Scheme) UniqueOccurrence() bool { return s.show().UniqueOccurrence }

// OnConflict says what happens to delivered content that arrives again with
// other unsigned values, unless the user chooses: ConflictReject, ConflictAck
// or ConflictForward.
func (s Scheme) OnConflict() string { return cmp.Or(s.show().OnConflict, ConflictReject) }

// Defaults are what applies to the deliveries of a scheme unless the user says
// otherwise.
func (s Scheme) Defaults() Defaults { return s.show().Defaults }

// Window is the range of signed times that are fresh unless the user says
// otherwise. A time that only the body has is not judged then.
func (s Scheme) Window() Window {
	if s.Time() != TimeInHeaders {
		return Window{}
	}
	return NewWindow(s.Defaults().Tolerance, 0)
}

// SignedBytes says in a few words what the signature covers.
func (s Scheme) SignedBytes() string { return s.show().SignedBytes }

// Time says where the signed time is, if there is one.
func (s Scheme) Time() TimeSource { return s.show().Time }

// SignsID reports whether deliveries have a signed id, which is then their
// identity. If the id is in the body, some deliveries may lack it.
func (s Scheme) SignsID() bool { return s.show().SignsID }

// SignsRequest reports whether the method or the URL is signed.
func (s Scheme) SignsRequest() bool { return s.show().SignsRequest }

// HasBoundaries reports whether deliveries with the same signed text can
// differ. Verification.Boundaries then distinguishes them.
func (s Scheme) HasBoundaries() bool { return s.show().Boundaries != nil }

// BodyBegins returns the text that the body must begin with, because another
// value is signed directly before it, or nothing.
func (s Scheme) BodyBegins() string { return s.show().BodyBegins }

// SecretForm says in a few words how the secret is written, such as text or
// base64.
func (s Scheme) SecretForm() string { return s.show().SecretForm }

// Handshake returns a copy of the scheme's handshake, or nil if the provider
// has none.
func (s Scheme) Handshake() *Handshake {
	if h := s.show().Handshake; h != nil {
		return new(*h)
	}
	return nil
}

// SignedHeaders holds the values read from the headers of a delivery before its
// body arrives. Trust none of them before the signature is verified;
// OccurrenceID and UnsignedEvent are not authenticated even then.
type SignedHeaders struct {
	// Signatures are the signatures that were sent, decoded; any one may match.
	Signatures []Signature

	// Prefix and Suffix are the signed bytes before and after the body.
	Prefix, Suffix []byte

	// SentAt is the signed send time, or zero if the headers hold none.
	SentAt time.Time

	// SentAtText is the send time as the sender wrote and signed it.
	SentAtText string

	// ID is the signed id of the delivery: 1 to 256 visible characters of ASCII.
	ID string

	// Event is the type of the event, if a signed header holds it.
	Event string

	// Identity holds the signed values other than send time and body that
	// belong to the identity of the event, such as McEasy's event id. Several
	// values are separated by a NUL, which none of them can contain.
	Identity []byte

	// OccurrenceID and UnsignedEvent are sent by the provider but not signed.
	// Several values of a header are joined with a comma.
	OccurrenceID, UnsignedEvent Unsigned

	// url is the signed URL, for schemes that try other spellings of it.
	url           spelledURL
	urlAt         int  // where it begins
	urlInSuffix   bool // in Suffix, not in Prefix
	spellings     [URLSpellings - 1][]byte
	spellingsMade int

	// usable is a bit set of the variants for which a key is configured.
	usable uint
}

// Unsigned is the value of a header that is not signed. Its absence counts as
// a value too.
type Unsigned struct {
	Value string
	Sent  bool
}

// reset empties the headers and keeps their memory.
func (c *SignedHeaders) reset() {
	*c = SignedHeaders{
		Signatures: c.Signatures[:0], Prefix: c.Prefix[:0], Suffix: c.Suffix[:0], Identity: c.Identity[:0],
		usable: c.usable, spellings: c.spellings,
	}
}

// Event holds the facts about the event that a verified delivery reports. A
// field that the delivery does not report is empty. The values are as the
// provider wrote them: of any length and with any character.
//
// A scheme's Read fills in the fields from the body and the signed headers; the
// Verifier adds the rest.
type Event struct {
	// ID is the signed id, from the headers or the body:
	// 1 to 256 visible characters of ASCII.
	ID string
	// Type is the type of the event, if it is signed.
	Type string
	// OccurredAt is the event's own time.
	OccurredAt time.Time
	// BodyTime is the signed time of schemes with TimeInBody.
	BodyTime time.Time
	// Tenant and Environment say whose event it is and from which environment.
	Tenant, Environment string

	// SentAt is the signed send time: from the headers, or BodyTime if it is
	// checked.
	SentAt time.Time
	// JudgedAt is the time by the verifier's clock.
	JudgedAt time.Time
	// Secret is the position of the secret that matches, the first being 1.
	Secret int
	// OccurrenceID and UnsignedType are not signed: anyone can change them.
	OccurrenceID, UnsignedType Unsigned
}

// Delivery is a delivery to be signed.
type Delivery struct {
	// Body is signed unchanged.
	Body []byte
	// At is the send time.
	At time.Time
	// Event is the event type, for schemes that have it in a header.
	Event string
	// ID is the delivery's id, for schemes that have one in a header, or else
	// the occurrence ID.
	ID string
	// Request holds the method and the URL, for schemes with SignsRequest, and
	// the values of other signed headers.
	Request Request
}
