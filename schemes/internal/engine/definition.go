package engine

// Definition is a scheme as data: how a provider signs, for all providers that
// sign in one of the common ways. Compile turns it into a Scheme.
//
// Signed says which values are signed, and only signed values are trusted: only
// a signed id becomes the identity of a delivery, only a signed time is
// checked, and an event type from an unsigned header is passed on as unsigned.
type Definition struct {
	// The address of the provider's documentation that the rules come from. It
	// is only shown.
	Source string `json:"source,omitempty"`

	// How deliveries are signed: hmac-sha1, hmac-sha256, hmac-sha384,
	// hmac-sha512, ed25519 or ecdsa-p256 (over SHA-256, signature in ASN.1
	// DER). Default: hmac-sha256.
	Algorithm string `json:"algorithm,omitempty"`

	// How the secret is written. For an HMAC: text (its bytes are the key),
	// base64, hex, or whsec_ (that word and then 16 to 128 bytes in base64);
	// default: text. For ed25519: hex, base64, whpk_, pem or spki (the DER of a
	// PEM in base64); default: hex. For ecdsa-p256: pem or spki; default: pem.
	Key string `json:"key,omitempty"`

	// Where the signatures are.
	Signature SignatureForm `json:"signature"`

	// The kinds of signatures, for providers that send several kinds in one
	// list. They replace algorithm, key and the signature's names. The
	// beginning of a secret shows which variant it belongs to; it is tried on
	// no other.
	Variants []Variant `json:"variants,omitempty"`

	// The signed text, with the variables {timestamp}, {id}, {body}, {url} (as
	// the sender wrote it: scheme, host, path and query), {method} and
	// {header.X}. It must be clear where each variable ends; otherwise one
	// signed delivery could be cut into another. Default: {body}.
	Signed string `json:"signed,omitempty"`

	// Whether bodies are JSON objects. A body that does not begin with { is
	// then rejected. Set it if another value is signed directly before the
	// body, as in {url}{body}: a URL cannot contain {.
	JSONObject bool `json:"json_object,omitempty"`

	// The signed time. In a header, or a field of the signature header, it is
	// the send time and must be in the template. In the body it is signed with
	// the body, and checked only if a tolerance is set.
	Timestamp TimePlace `json:"timestamp,omitzero"`

	// The signed id, which is the identity of a delivery: 1 to 256 visible
	// ASCII characters, without the separators next to it in the template. In a
	// header, or a field of the signature header, it must be in the template.
	// If it is in the body, a delivery without one is identified by its
	// content.
	ID Place `json:"id,omitzero"`

	// The type of the event: a header, a member of the body, or both. The
	// member is signed and takes precedence; the header counts as signed only
	// if the template has it.
	Event EventPlace `json:"event,omitzero"`

	// A header with an id that is not signed. The application gets it as
	// unsigned.
	OccurrenceID string `json:"occurrence_id,omitempty"`

	// Whether the provider documents that id as unique for each event. Other
	// content under a delivered id is then a conflict; otherwise it is a new
	// event, because only the provider can sign it. Default: false.
	OccurrenceIDUnique bool `json:"occurrence_id_unique,omitempty"`

	// The event's own time, in the body.
	OccurredAt BodyTime `json:"occurred_at,omitzero"`

	// The member of the body that says whose event it is, such as account.id.
	Tenant string `json:"tenant,omitempty"`

	// The member of the body that says from which environment it is.
	Environment string `json:"environment,omitempty"`

	// Other sets of names under which the provider sends the same headers. Each
	// maps every signed header above to its other name. A delivery uses the
	// headers of one set only.
	Aliases []map[string]string `json:"aliases,omitempty"`

	// OnConflict says what happens to delivered content that arrives again with
	// other unsigned values, unless the user chooses. Only built-in schemes can
	// have a default other than ConflictReject.
	OnConflict string `json:"-"`

	// ConflictReason says why OnConflict is set. It is only shown.
	ConflictReason string `json:"-"`

	// Defaults are other defaults of a built-in scheme than the general ones.
	Defaults Defaults `json:"-"`

	// TokenHeader is the header in which the provider of a built-in scheme
	// sends a plain secret. It is only mentioned when a signature is missing.
	TokenHeader string `json:"-"`

	// Witness is the evidence that a built-in scheme is right. It is only
	// shown.
	Witness Witness `json:"-"`

	// Sending is how the sender of a built-in scheme's provider behaves.
	Sending Sending `json:"-"`

	// Handshake answers the requests that the provider sends before it delivers
	// anything. It is code, so only a definition in Go can have it.
	Handshake *Handshake `json:"-"`
}

// SignatureForm says where in a request the signatures are, and in which form.
type SignatureForm struct {
	// The header.
	Header string `json:"header"`

	// How the signature is written: hex, base64 (with padding) or base64url
	// (with or without). Default: hex.
	Encoding string `json:"encoding,omitempty"`

	// The text before the signature, such as sha256=.
	Prefix string `json:"prefix,omitempty"`

	// The text between the entries of a list, such as a comma or a space.
	// Default: none; the header is a single signature.
	Separator string `json:"separator,omitempty"`

	// The text between the name and the value of an entry of a list. Default:
	// =.
	Assign string `json:"assign,omitempty"`

	// The names of the entries that are signatures, such as v1. Several entries
	// may have the same name; entries with other names are ignored.
	Names []string `json:"names,omitempty"`
}

// Variant is one kind of signature in a list.
type Variant struct {
	// The name of its entries.
	Name string `json:"name"`

	// How they are signed: one of the algorithms that a definition can have.
	// Default: hmac-sha256.
	Algorithm string `json:"algorithm,omitempty"`

	// How the secret is written: whsec_, whpk_ or pem. The form shows which
	// variant a secret is for.
	Key string `json:"key"`
}

// Place is where a value is. One of its fields is set.
type Place struct {
	// The name of a header.
	Header string `json:"header,omitempty"`

	// The name of an entry in the signature header.
	Field string `json:"field,omitempty"`

	// A member of the body's JSON object. Dots lead to nested members:
	// data.object.id.
	Body string `json:"body,omitempty"`
}

// TimePlace is where a time is.
type TimePlace struct {
	Place

	// How the time is written: s (Unix seconds), ms (Unix milliseconds, 13
	// digits) or rfc3339 (in a header, UTC if it has no zone). Default: s.
	Unit string `json:"unit,omitempty"`
}

// BodyTime is a time in the body.
type BodyTime struct {
	// The name of a member. Dots lead to nested members.
	Body string `json:"body,omitempty"`

	// How the time is written: s, ms or rfc3339. Default: s.
	Unit string `json:"unit,omitempty"`
}

// EventPlace is where the type of the event is.
type EventPlace struct {
	// The name of a header.
	Header string `json:"header,omitempty"`

	// The name of a member of the body. Dots lead to nested members.
	Body string `json:"body,omitempty"`
}

// The units of times.
const (
	unitSeconds = "s"
	unitMillis  = "ms"
	unitRFC3339 = "rfc3339"
)

// The encodings of signatures.
const (
	encodingHex       = "hex"
	encodingBase64    = "base64"
	encodingBase64URL = "base64url"
)
