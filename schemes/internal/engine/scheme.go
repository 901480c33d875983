// Package engine is how schemes work: definitions and their grammar, keys, the
// reading of headers and bodies, verifying and signing, and the registry. The
// package schemes is its public face.
package engine

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Scheme is how one provider signs its deliveries. Its methods show it, and
// nothing can change it: any number of verifiers share it. Definition.Compile and
// Implementation.Compile make one. The zero value is no scheme.
type Scheme struct{ implementation *Implementation }

// Implementation is a scheme in Go, for a provider that a Definition cannot
// describe. Compile and Register copy it.
type Implementation struct {
	// Name is what users write: lower case, the provider's own name.
	Name string

	// Source names the documentation that the rules are taken from.
	Source string

	// Witness is what has shown that the rules are right.
	Witness Witness

	// Sending is what the provider does with an answer.
	Sending Sending

	// Description says in words where deliveries have what.
	Description Description

	// SignatureHeader is the header that holds the signature.
	SignatureHeader string

	// SignedHeaders are the other headers that take part in the signed bytes.
	SignedHeaders []string

	// AliasHeaders are other names under which these headers are sent.
	AliasHeaders []string

	// UnsignedHeaders are headers that the provider sends, that are of use to
	// an application and that anybody can change.
	UnsignedHeaders []string

	// TokenHeader is a header in which the provider sends a secret as it is,
	// which signs nothing. It is only named where a signature is missing.
	TokenHeader string

	// UniqueOccurrence reports that the provider documents its occurrence ID as
	// unique for each event, so that new content under a delivered one is a
	// conflict. Without it the ID is information: nobody without the secret can
	// make new signed content, so that is a new event whatever ID it carries. A
	// scheme with Cut has no unique IDs.
	UniqueOccurrence bool

	// OnConflict is what becomes, unless the user says otherwise, of delivered
	// content that comes again with other unsigned values. Empty: ConflictReject.
	OnConflict string

	// Defaults are other defaults than the general ones.
	Defaults Defaults

	// SignedBytes says in a few words what the signature covers.
	SignedBytes string

	// Time says where the signed time is, if there is one.
	Time TimeSource

	// SignsID tells whether deliveries have a signed id, which is then their
	// identity. In the body it may be absent from some of them.
	SignsID bool

	// SignsRequest tells whether the method or the URL is signed, so that Begin
	// and Sign need them.
	SignsRequest bool

	// BodyBegins is what the body must begin with because something else is
	// signed directly in front of it; empty: anything.
	BodyBegins string

	// SecretForm says in a few words how the secret is written, such as text or
	// base64.
	SecretForm string

	// Keys turns a configured secret into the keys it can stand for, the
	// likeliest first: one, unless the provider's documentation can be read
	// in two ways. Its errors never contain the secret.
	Keys func(secret string) ([]Key, error)

	// SigningKey turns a secret into the key that signs. Nil: the first of
	// Keys.
	SigningKey func(secret string) (Key, error)

	// Begin reads the signed headers, before the body is there. Its errors are
	// Refusal. What it fills is empty when it is called.
	Begin func(r Request, c *SignedHeaders) error

	// SignedText appends to dst what is signed, for schemes where that is not
	// Prefix, body and Suffix; the whole body is kept for it, and the text
	// rather than the body is the identity of a delivery. Its errors are
	// Refusal. Nil: it is.
	//
	// Candidate counts from 0 to Candidates-1, for providers of which it cannot be
	// told which one of several texts they have signed: any one may match. The
	// first one always is a text.
	SignedText func(dst []byte, c *SignedHeaders, body []byte, candidate int) ([]byte, error)

	// Candidates is how many texts SignedText makes of a delivery. Default: 1.
	Candidates int

	// Boundaries appends to dst what tells deliveries with one SignedText apart, for
	// schemes where that text leaves open where its parts end. It is not signed,
	// but the same on every retry. Nil: the text does not.
	Boundaries func(dst []byte, c *SignedHeaders, body []byte) []byte

	// Handshake is what the provider asks before it delivers anything. Nil:
	// nothing. It is answered only if the user asks for that.
	Handshake *Handshake

	// Read finds what the body tells. It is called once the signature is
	// verified, with the signed headers and the whole body; a body that is not what
	// the provider documents yields an empty event and no error.
	Read func(c *SignedHeaders, body []byte) Event

	// Sign makes the headers of a delivery, as the provider would send them.
	// Its errors say which input the scheme lacks or does not take.
	Sign func(key Key, d Delivery) (http.Header, error)
}

// The values of OnConflict.
const (
	// ConflictReject refuses the delivery, and the provider sees a failure.
	ConflictReject = "reject"
	// ConflictAck acknowledges the delivery and does not forward it, for a
	// provider that sends one event several times and no event again.
	ConflictAck = "ack"
	// ConflictForward forwards it as an event of its own, for a provider that
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
	// NoTime means nothing that is signed says when the delivery was sent.
	NoTime TimeSource = iota
	// TimeInHeaders means the headers hold the send time, and it is signed.
	TimeInHeaders
	// TimeInBody means only the signed body holds a time, and it need not be the
	// send time, so it is judged only if the user asks for it.
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

// seal copies an implementation into a scheme, so that nobody else has it.
func (i Implementation) seal() Scheme {
	i.SignedHeaders = slices.Clone(i.SignedHeaders)
	i.AliasHeaders = slices.Clone(i.AliasHeaders)
	i.UnsignedHeaders = slices.Clone(i.UnsignedHeaders)
	if i.Handshake != nil {
		i.Handshake = new(*i.Handshake)
	}
	return Scheme{&i}
}

// Derive returns a scheme like another one but for a change. The other one stays
// as it is. The package schemes does not publish it: it is for explaining, which
// tries what a scheme could have been.
func Derive(s Scheme, change func(*Implementation)) Scheme {
	i := *s.show().seal().implementation
	change(&i)
	return i.seal()
}

var noScheme Implementation

// show returns the implementation, to be read only. That of no scheme is empty.
func (s Scheme) show() *Implementation { return cmp.Or(s.implementation, &noScheme) }

// Name is what users write: lower case, the provider's own name.
func (s Scheme) Name() string { return s.show().Name }

// Source names the documentation that the rules are taken from.
func (s Scheme) Source() string { return s.show().Source }

// Witness is what has shown that the rules are right.
func (s Scheme) Witness() Witness { return s.show().Witness }

// Sending is what the provider does with an answer.
func (s Scheme) Sending() Sending { return s.show().Sending }

// Description says in words where deliveries have what.
func (s Scheme) Description() Description { return s.show().Description }

// SignatureHeader is the header that holds the signature.
func (s Scheme) SignatureHeader() string { return s.show().SignatureHeader }

// TokenHeader is a header in which the provider sends a secret as it is, which
// signs nothing; empty: none.
func (s Scheme) TokenHeader() string { return s.show().TokenHeader }

// SignedHeaders returns the other headers that take part in the signed bytes.
func (s Scheme) SignedHeaders() []string { return slices.Clone(s.show().SignedHeaders) }

// AliasHeaders returns other names under which these headers are sent.
func (s Scheme) AliasHeaders() []string { return slices.Clone(s.show().AliasHeaders) }

// UnsignedHeaders returns headers that the provider sends, that are of use to an
// application and that anybody can change.
func (s Scheme) UnsignedHeaders() []string { return slices.Clone(s.show().UnsignedHeaders) }

// UniqueOccurrence reports whether the provider documents its occurrence ID as
// unique for each event.
func (s Scheme) UniqueOccurrence() bool { return s.show().UniqueOccurrence }

// OnConflict is what becomes, unless the user says otherwise, of delivered
// content that comes again with other unsigned values: ConflictReject,
// ConflictAck or ConflictForward.
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
// identity. In the body it may be absent from some of them.
func (s Scheme) SignsID() bool { return s.show().SignsID }

// SignsRequest reports whether the method or the URL is signed.
func (s Scheme) SignsRequest() bool { return s.show().SignsRequest }

// HasBoundaries reports whether deliveries with one signed text can differ. A
// Verification's Boundaries then tells them apart.
func (s Scheme) HasBoundaries() bool { return s.show().Boundaries != nil }

// BodyBegins is what the body must begin with because something else is signed
// directly before it, or empty.
func (s Scheme) BodyBegins() string { return s.show().BodyBegins }

// SecretForm says in a few words how the secret is written, such as text or
// base64.
func (s Scheme) SecretForm() string { return s.show().SecretForm }

// Handshake returns a copy of what the provider asks before it delivers
// anything, or nil if it asks nothing.
func (s Scheme) Handshake() *Handshake {
	if h := s.show().Handshake; h != nil {
		return new(*h)
	}
	return nil
}

// SignedHeaders is what the headers of a delivery say before its body is known.
// Nothing in it may be believed until the signature is verified, and the
// fields that are named unsigned not even then.
type SignedHeaders struct {
	// Signatures are those that were sent, decoded; any one may match.
	Signatures []Signature

	// Prefix and Suffix are what is signed in front of the body and behind it.
	Prefix, Suffix []byte

	// SentAt is the signed send time; zero where the headers hold none.
	SentAt time.Time

	// SentAtText is the send time as it was written, which is what is signed.
	SentAtText string

	// ID is the signed id of the delivery: 1 to 256 visible characters of ASCII.
	ID string

	// Event is the type of the event, if a signed header holds it.
	Event string

	// Identity is what is signed besides the send time and the body, and
	// belongs to the identity of the event: McEasy's event id. Several values
	// have a NUL in between, which none of them can hold.
	Identity []byte

	// OccurrenceID and UnsignedEvent are what the provider sends and does not
	// sign; several values of a header are joined with a comma.
	OccurrenceID, UnsignedEvent Unsigned

	// url is the URL that is signed, for schemes that try other spellings of it.
	url           spelledURL
	urlAt         int  // where it begins
	urlInSuffix   bool // in Suffix, not in Prefix
	spellings     [URLSpellings - 1][]byte
	spellingsMade int

	// usable are the variants that a configured key is for, as bits.
	usable uint
}

// Unsigned is the value of a header that is not signed. Its absence counts as
// a value too.
type Unsigned struct {
	Value string
	Sent  bool
}

// reset empties them and keeps its memory.
func (c *SignedHeaders) reset() {
	*c = SignedHeaders{
		Signatures: c.Signatures[:0], Prefix: c.Prefix[:0], Suffix: c.Suffix[:0], Identity: c.Identity[:0],
		usable: c.usable, spellings: c.spellings,
	}
}

// Event is what a verified delivery tells about its event. Empty fields are
// those that it does not tell. The values are as the provider wrote them,
// unbounded and with any character.
//
// A scheme's Read fills what the body and the signed headers tell; the Verifier
// adds the rest.
type Event struct {
	// ID is the signed id, from the headers or the body:
	// 1 to 256 visible characters of ASCII.
	ID string
	// Type is the type of the event, only if it is signed.
	Type string
	// OccurredAt is the event's own time.
	OccurredAt time.Time
	// BodyTime is the signed time of schemes with TimeInBody.
	BodyTime time.Time
	// Tenant and Environment say whose event it is.
	Tenant, Environment string

	// SentAt is the signed send time: that of the headers, or BodyTime where it
	// is judged.
	SentAt time.Time
	// JudgedAt is the time by the verifier's clock.
	JudgedAt time.Time
	// Secret is the position of the secret that matches, the first being 1.
	Secret int
	// OccurrenceID and UnsignedType are not signed: anybody can change them.
	OccurrenceID, UnsignedType Unsigned
}

// Delivery is a delivery to be signed.
type Delivery struct {
	// Body is sent and signed as it is.
	Body []byte
	// At is the send time.
	At time.Time
	// Event is the event type, for schemes that have it in a header.
	Event string
	// ID is the id, for schemes that have one in a header, or the occurrence
	// ID.
	ID string
	// Request has the method and the URL, for schemes with SignsRequest, and
	// the values of other signed headers.
	Request Request
}
