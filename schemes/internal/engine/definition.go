package engine

// Definition is a scheme as data: how a provider signs, for all providers that
// sign in one of the common ways. Compile turns it into a Scheme.
//
// Which values are signed follows from Signed, and decides what they are good
// for: only a signed id becomes the identity of a delivery, only a signed time
// is judged, and an event from a header that is not signed is passed on as
// unsigned.
type Definition struct {
	// Where the rules are taken from: the address of the provider's
	// documentation. It is only shown.
	Source string `json:"source,omitempty"`

	// How deliveries are signed: hmac-sha1, hmac-sha256, hmac-sha384,
	// hmac-sha512, ed25519 or ecdsa-p256 (over SHA-256, signature in ASN.1
	// DER). Default: hmac-sha256.
	Algorithm string `json:"algorithm,omitempty"`

	// How the secret is written. For an HMAC: text (its bytes are the key),
	// base64, hex, or whsec_ (base64 of 24 to 64 bytes behind that word);
	// default: text. For ed25519: hex, base64, whpk_, pem or spki (the DER of
	// a PEM in base64); default: hex. For ecdsa-p256: pem or spki; default:
	// pem.
	Key string `json:"key,omitempty"`

	// Where the signatures are.
	Signature SignatureForm `json:"signature"`

	// The kinds of signatures, for providers that have several in one list,
	// in place of algorithm, key and the signature's names. A secret belongs
	// to one variant by what it begins with, and is tried on no other.
	Variants []Variant `json:"variants,omitempty"`

	// What is signed: text with the variables {timestamp}, {id}, {body},
	// {url} (as the sender wrote it: scheme, host, path and query), {method}
	// and {header.X}. It must be clear where each of them ends, or a signed
	// delivery could be cut into another one. Default: {body}.
	Signed string `json:"signed,omitempty"`

	// Whether bodies are JSON objects, so that one which does not begin with {
	// is refused. It is needed where something else is signed directly in
	// front of the body, as in {url}{body}: a { cannot stand in a URL.
	JSONObject bool `json:"json_object,omitempty"`

	// The signed time. In a header, or a field of the signature header, it is
	// the send time and must be in the template; in the body it is signed
	// with it, and judged only if a tolerance is set.
	Timestamp TimePlace `json:"timestamp,omitzero"`

	// The signed id, which is the identity of a delivery: 1 to 256 visible
	// characters of ASCII, but not the one that comes after it in the template. In
	// a header, or a field of the signature header, it
	// must be in the template; a delivery whose body has none is known by its
	// content.
	ID Place `json:"id,omitzero"`

	// The type of the event: a header, a member of the body, or both. The
	// member is signed and comes first; the header counts as signed only if
	// the template has it.
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

	// The members of the body that say whose event it is, such as account.id.
	Tenant string `json:"tenant,omitempty"`

	// The member of the body that says from which environment it is.
	Environment string `json:"environment,omitempty"`

	// Other sets of names under which the provider sends the same headers:
	// each names, for every signed header above, the one in its place. A
	// delivery has the headers of one set and none of another.
	Aliases []map[string]string `json:"aliases,omitempty"`

	// OnConflict is what becomes of delivered content that comes again under
	// other unsigned values, unless the user says otherwise. Only the built-in
	// schemes have another default than ConflictReject.
	OnConflict string `json:"-"`

	// ConflictReason says why. It is only shown.
	ConflictReason string `json:"-"`

	// Defaults are other defaults of a built-in scheme than the general ones.
	Defaults Defaults `json:"-"`

	// TokenHeader is the header in which the provider of a built-in scheme sends a
	// secret as it is. It is only named where a signature is missing.
	TokenHeader string `json:"-"`

	// Witness is what has shown that a built-in scheme is right. It is only
	// shown.
	Witness Witness `json:"-"`

	// Sending is what the provider of a built-in scheme does with an answer.
	Sending Sending `json:"-"`

	// Handshake is what the provider asks before it delivers anything. It is
	// code, so only a definition in Go can have it.
	Handshake *Handshake `json:"-"`
}

// SignatureForm is where the signatures are in a request, and in which form.
type SignatureForm struct {
	// The header.
	Header string `json:"header"`

	// How the signature is written: hex, base64 (with padding) or base64url
	// (with or without). Default: hex.
	Encoding string `json:"encoding,omitempty"`

	// What stands in front of the signature, such as sha256=.
	Prefix string `json:"prefix,omitempty"`

	// What stands between the entries of a list, such as a comma or a blank.
	// Default: the header is one signature and nothing else.
	Separator string `json:"separator,omitempty"`

	// What stands between the name of an entry of a list and its value.
	// Default: =.
	Assign string `json:"assign,omitempty"`

	// The names of the entries that are signatures, such as v1. There may be
	// several of one name; entries of other names are passed over.
	Names []string `json:"names,omitempty"`
}

// Variant is one kind of signatures in a list.
type Variant struct {
	// The name of its entries.
	Name string `json:"name"`

	// How they are signed, one of the definition's algorithms. Default:
	// hmac-sha256.
	Algorithm string `json:"algorithm,omitempty"`

	// How the secret is written, so that it shows which variant it is for:
	// whsec_, whpk_ or pem.
	Key string `json:"key"`
}

// Place is where a value is: one of these.
type Place struct {
	// The name of a header.
	Header string `json:"header,omitempty"`

	// The name of an entry in the signature header.
	Field string `json:"field,omitempty"`

	// A member of the JSON object that the body is; with dots a member of a
	// member: data.object.id.
	Body string `json:"body,omitempty"`
}

// TimePlace is where a time is.
type TimePlace struct {
	Place

	// How it is written: s (Unix seconds), ms (Unix milliseconds, 13 digits)
	// or rfc3339 (in a header, UTC if it has no zone). Default: s.
	Unit string `json:"unit,omitempty"`
}

// BodyTime is a time in the body.
type BodyTime struct {
	// The name of a member; with dots a member of a member.
	Body string `json:"body,omitempty"`

	// How it is written: s, ms or rfc3339. Default: s.
	Unit string `json:"unit,omitempty"`
}

// EventPlace is where the type of the event is.
type EventPlace struct {
	// The name of a header.
	Header string `json:"header,omitempty"`

	// The name of a member of the body; with dots a member of a member.
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
