package providers

import (
	"bytes"
	"cmp"
	"crypto/sha1" //nolint:gosec // Twilio signs with HMAC-SHA1, which is not broken
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

func init() { engine.Register(twilio) }

// twilio signs the URL directly followed by the fields of the form, without
// separators. For other bodies it signs a URL that contains the body's digest,
// which is the last query parameter in all examples that Twilio shows.
//
// The signed text is ambiguous: an attacker with a delivery can move text
// between the URL, names and values, and the signature still matches. All such
// cuts of a delivery have the same signed text, which is the identity, so only
// the first is forwarded within the ttl of the history. The cut counts as an
// unsigned value: another cut is a conflict, whatever the user's on_conflict
// says. It is not a duplicate, which the provider would take for delivered. A
// request with the same cut and another token is a new event, because calls
// have many requests with equal fields.
//
// Twilio's library tries several spellings of the URL, because Twilio does not
// sign consistently: see engine/urlspelling.go. All of them lead to the same
// resource. The signed text is the identity, whichever spelling it contains, so
// another spelling of the URL does not turn a delivery into a new event.
//
// A webhook with a shared key is signed with HMAC-SHA256, which a header
// announces. The header cannot choose another algorithm, and both algorithms
// use the configured secret.
var twilio = engine.Implementation{
	Name:   "twilio",
	Source: "twilio.com/docs/usage/webhooks/webhooks-security; twilio-node 6.3.1, lib/webhooks",
	Witness: engine.Witness{
		Published: "twilio.com/docs/usage/webhooks/webhooks-security",
		Signs:     "twilio 6.3.1 (Node)",
		Verifies:  "twilio 6.3.1 (Node), twilio-go v1.31.0",
		Note:      "The published signature is of a form.",
	},
	Sending: engine.Sending{
		Retries:     "only with `#rc=` in the URL; it then asks the fallback URL, if there is one",
		ReadsAnswer: "voice and messages (TwiML)",
	},
	Description: engine.Description{
		Signature:    "`X-Twilio-Signature`",
		Algorithm:    engine.HMACSHA1.String() + " or " + engine.HMACSHA256.String(),
		Encoding:     "base64",
		OccurrenceID: "`I-Twilio-Idempotency-Token`",
		Conflict:     "Two requests of a call can have equal fields and differ only in `I-Twilio-Idempotency-Token`.",
	},
	SignatureHeader: twilioSignature,
	UnsignedHeaders: []string{twilioOccurrence},
	SignedBytes:     "URL, sorted form fields",
	OnConflict:      engine.ConflictForward,
	SignsRequest:    true,
	SecretForm:      "text",
	Keys:            twilioKeys,
	Begin:           openTwilio,
	SignedText:      twilioText,
	Boundaries:      twilioBoundaries,
	Candidates:      engine.URLSpellings,
	Read:            func(*engine.SignedHeaders, []byte) engine.Event { return engine.Event{} },
	Sign:            signTwilio,
}

const (
	twilioSignature  = "X-Twilio-Signature"
	twilioOccurrence = "I-Twilio-Idempotency-Token"           // the same on retries
	twilioSettings   = "X-Twilio-Webhooks-Signature-Settings" // of shared keys
	twilioDigest     = "bodySHA256="
)

// The variants of Twilio's signatures.
const (
	twilioSHA1 = iota
	twilioSHA256
)

var (
	twilioRefusals = engine.SignatureRefusals(twilioSignature, "one signature: 20 bytes in base64, or 32 where "+twilioSettings+" announces HMAC_SHA256")

	twilioAnnounced = engine.Refuse(engine.MalformedSignature, twilioSettings+" is there more than once, or announces an algorithm other than HMAC_SHA1 and HMAC_SHA256")

	twilioOtherBody = engine.Refuse(engine.SignatureMismatch, "the body is not the one whose bodySHA256 is at the end of the URL")
	// Without this refusal, such a delivery would verify as a form without
	// fields after its body was removed.
	twilioDigestElsewhere = engine.Refuse(engine.SignatureMismatch, "the URL has bodySHA256, and does not end with it as a parameter, so the body cannot be told from what is signed in the URL")

	twilioNoForm = engine.Refuse(engine.SignatureMismatch, "the body is not a form that can be signed, and the URL does not end with its bodySHA256")
)

func twilioKeys(secret string) ([]engine.Key, error) {
	return []engine.Key{
		{Algorithm: engine.HMACSHA1, Secret: []byte(secret), Variant: twilioSHA1},
		{Algorithm: engine.HMACSHA256, Secret: []byte(secret), Variant: twilioSHA256},
	}, nil
}

// twilioVariant reads the announced algorithm as twilio-node does.
func twilioVariant(h http.Header) (variant, size int, ok bool) {
	announced := h[twilioSettings]
	if len(announced) > 1 {
		return 0, 0, false
	}
	algorithm := ""
	for i := 0; i < len(announced) && algorithm == ""; i++ {
		for setting := range strings.SplitSeq(announced[i], ",") {
			if name, value, _ := strings.Cut(setting, "="); algorithm == "" && strings.TrimSpace(name) == "algorithm" {
				algorithm = strings.TrimSpace(value)
			}
		}
	}
	switch strings.ToUpper(algorithm) {
	case "", "HMAC_SHA1":
		return twilioSHA1, sha1.Size, true
	case "HMAC_SHA256":
		return twilioSHA256, sha256.Size, true
	}
	return 0, 0, false
}

// openTwilio keeps the received URL, and its parts for other spellings.
func openTwilio(r engine.Request, c *engine.SignedHeaders) error {
	c.OccurrenceID = engine.UnsignedValue(r.Header, twilioOccurrence)
	text, err := engine.Single(r.Header, twilioSignature, &twilioRefusals)
	if err != nil {
		return err
	}
	variant, size, ok := twilioVariant(r.Header)
	if !ok {
		return twilioAnnounced
	}
	if !c.AddBase64(engine.StrictBase64, text, size, variant) {
		return twilioRefusals.Malformed
	}
	if c.Prefix, err = r.AppendURL(c.Prefix); err != nil {
		return err
	}
	c.KeepURL(&r)
	return nil
}

// twilioText builds the signed text with one spelling of the URL.
func twilioText(dst []byte, c *engine.SignedHeaders, body []byte, candidate int) ([]byte, error) {
	url, ok := c.Spelled(candidate)
	if !ok {
		return nil, engine.ErrNoCandidate
	}
	dst = append(dst, url...)
	want, digested := digestIn(c.Prefix)
	if _, ok := digestIn(url); ok != digested {
		return nil, engine.ErrNoCandidate // with another spelling, text could move between URL and body
	}
	switch {
	case !digested && bytes.Contains(c.Prefix, []byte("bodySHA256")):
		return nil, twilioDigestElsewhere
	case digested:
		if digest := hexDigest(body); string(want) != string(digest[:]) {
			return nil, twilioOtherBody
		}
		return dst, nil
	}
	dst, ok = appendForm(dst, body)
	if !ok {
		return nil, twilioNoForm
	}
	return dst, nil
}

// twilioBoundaries writes path and query, and then the fields of a form in the
// order in which they are signed, each text after its length.
func twilioBoundaries(dst []byte, c *engine.SignedHeaders, body []byte) []byte {
	_, rest, _ := bytes.Cut(c.Prefix, []byte("://"))
	if slash := bytes.IndexByte(rest, '/'); slash >= 0 {
		rest = rest[slash:]
	}
	dst = appendSized(dst, rest)
	if cut, ok := appendFields(dst, body, appendSizedField); ok {
		return cut
	}
	return dst
}

func appendSizedField(dst, name, value []byte) []byte {
	return appendSized(appendSized(dst, name), value)
}

func appendSized(dst, text []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(text))), text...)
}

// digestIn finds the digest that is the last parameter of a URL's query.
// Anywhere else it could be text moved from a signed form field.
func digestIn(url []byte) (digest []byte, ok bool) {
	at := len(url) - 2*sha256.Size
	name := at - len(twilioDigest)
	if name < 1 || string(url[name:at]) != twilioDigest {
		return nil, false
	}
	asked := bytes.IndexByte(url[:name], '?')
	return url[at:], asked == name-1 || asked >= 0 && url[name-1] == '&'
}

func hexDigest(body []byte) (digest [2 * sha256.Size]byte) {
	sum := sha256.Sum256(body)
	hex.Encode(digest[:], sum[:])
	return digest
}

func signTwilio(key engine.Key, d engine.Delivery) (http.Header, error) {
	switch {
	case d.Event != "":
		return nil, engine.ErrNoEvent
	case d.Request.Host == "":
		return nil, errors.New("this scheme signs the URL; give it")
	}
	url, err := d.Request.AppendURL(nil)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	text, err := twilioText(nil, &engine.SignedHeaders{Prefix: url}, d.Body, 0)
	if err != nil {
		return nil, fmt.Errorf("signing: %w; end the URL with %s%s", err, twilioDigest, hexDigest(d.Body))
	}
	mac, err := key.Sign(text)
	if err != nil {
		return nil, err
	}
	h := http.Header{twilioSignature: {engine.StrictBase64.EncodeToString(mac)}}
	if d.ID != "" {
		h.Set(twilioOccurrence, d.ID)
	}
	return h, nil
}

// maxFormFields bounds the fields of a form. Twilio's largest forms have
// several times fewer.
const maxFormFields = 256

// formField is the position of a decoded form field in a buffer.
type formField struct{ name, value, end int } // the starts of name and value, and the end of the value

// appendForm appends the fields of a form as Twilio signs them: each name with
// its value. It reports whether the body is a form.
func appendForm(dst, body []byte) ([]byte, bool) { return appendFields(dst, body, appendJoined) }

func appendJoined(dst, name, value []byte) []byte { return append(append(dst, name...), value...) }

// appendFields appends the fields of a form in the order in which Twilio signs
// them: sorted, and without repeated pairs of name and value. It reports
// whether the body is a form.
func appendFields(dst, body []byte, field func(dst, name, value []byte) []byte) ([]byte, bool) {
	var all [maxFormFields]formField
	fields := all[:0]
	start := len(dst)
	for len(body) > 0 {
		var next []byte
		next, body, _ = bytes.Cut(body, []byte("&"))
		if len(next) == 0 {
			continue
		}
		if len(fields) == maxFormFields {
			return dst, false
		}
		name, value, _ := bytes.Cut(next, []byte("="))
		f := formField{name: len(dst)}
		var nameOK, valueOK bool
		dst, nameOK = appendUnescaped(dst, name)
		f.value = len(dst)
		dst, valueOK = appendUnescaped(dst, value)
		f.end = len(dst)
		if !nameOK || !valueOK {
			return dst, false
		}
		fields = append(fields, f)
	}
	// The sorted fields are written after the decoded text, and then moved over
	// it.
	decoded := slices.Clip(dst)
	slices.SortFunc(fields, func(a, b formField) int { return a.compare(b, decoded) })
	end := len(dst)
	for i, f := range fields {
		if i == 0 || f.compare(fields[i-1], decoded) != 0 {
			dst = field(dst, decoded[f.name:f.value], decoded[f.value:f.end])
		}
	}
	n := copy(dst[start:], dst[end:])
	return dst[:start+n], true
}

// compare orders fields by name, then by value, as JavaScript does.
func (f formField) compare(other formField, text []byte) int {
	if by := compareUTF16(text[f.name:f.value], text[other.name:other.value]); by != 0 {
		return by
	}
	return compareUTF16(text[f.value:f.end], text[other.value:other.end])
}

// compareUTF16 orders UTF-8 by the units of UTF-16. It differs from the order
// of bytes only in that characters of two units come before U+E000 to U+FFFF.
func compareUTF16(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Compare(utf16Rank(a[i]), utf16Rank(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}

func utf16Rank(lead byte) int {
	if lead == 0xEE || lead == 0xEF { // of U+E000 to U+FFFF
		return int(lead) + 0x10
	}
	return int(lead)
}

// appendUnescaped decodes a name or a value of a form and appends it. It
// rejects a character that form encoders escape, such as a brace or a quote, so
// that a body which might be read as JSON is not taken for a form.
func appendUnescaped(dst, text []byte) ([]byte, bool) {
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '+':
			dst = append(dst, ' ')
		case ch == '%':
			if i+2 >= len(text) {
				return dst, false
			}
			high, highOK := engine.HexDigit(text[i+1])
			low, lowOK := engine.HexDigit(text[i+2])
			if !highOK || !lowOK {
				return dst, false
			}
			dst = append(dst, high<<4|low)
			i += 2
		case isFormByte(ch):
			dst = append(dst, ch)
		default:
			return dst, false
		}
	}
	return dst, true
}

// isFormByte reports whether form encoders leave a character unescaped: those
// of browsers and Java, and JavaScript's encodeURIComponent. A value may also
// contain =.
func isFormByte(ch byte) bool {
	switch ch {
	case '-', '.', '_', '~', '*', '!', '\'', '(', ')', '=':
		return true
	}
	return 'a' <= ch|0x20 && ch|0x20 <= 'z' || '0' <= ch && ch <= '9'
}
