package providers

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // HMAC-SHA1 is what Twilio signs with, and is not broken
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

// twilio signs the URL and, directly behind it, the fields of the form without
// anything in between. Bodies of another type are signed by their digest, which
// is the last of the URL's query in all that Twilio shows of it.
//
// The join is ambiguous: who has a delivery can move text between the URL, names
// and values, and the signature still fits. All such cuts of a delivery have one
// signed text, which is the identity, so that within the ttl of the history only
// the first of them is forwarded. Which cut it was counts as a value that is not
// signed: another one is a conflict, whatever the user's on_conflict says, and no
// duplicate that the provider would take for delivered. Cut as before and with
// another token the request is an event of its own, because calls have many
// requests with equal fields.
//
// Its libraries try the URL with a port and without one, because Twilio is not
// consistent in that. The port decides nothing about where a delivery went.
var twilio = &engine.Scheme{
	Name:   "twilio",
	Source: "twilio.com/docs/usage/webhooks/webhooks-security; twilio-node 6.2.0, lib/webhooks",
	Witness: engine.Witness{
		Published: "twilio.com/docs/usage/webhooks/webhooks-security",
		Signs:     "twilio 6.2.0 (Node)",
		Verifies:  "twilio 6.2.0 (Node), twilio-go v1.31.0",
		Note:      "The published signature is of a form.",
	},
	Sending: engine.Sending{
		Retries:     "only with `#rc=` in the URL; it then asks the fallback URL, if there is one",
		ReadsAnswer: "voice and messages (TwiML)",
	},
	Description: engine.Description{
		Signature:    "`X-Twilio-Signature`",
		Algorithm:    engine.HMACSHA1.String(),
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
	Candidates:      2,
	Read:            func(*engine.SignedHeaders, []byte) engine.Event { return engine.Event{} },
	Sign:            signTwilio,
}

const (
	twilioSignature  = "X-Twilio-Signature"
	twilioOccurrence = "I-Twilio-Idempotency-Token" // the same on retries
	twilioDigest     = "bodySHA256="
)

var (
	twilioRefusals = engine.SignatureRefusals(twilioSignature, "one signature: 20 bytes in base64")

	twilioOtherBody = &engine.Refusal{Reason: engine.SignatureMismatch, Detail: "the body is not the one whose bodySHA256 is at the end of the URL"}
	twilioNoForm    = &engine.Refusal{Reason: engine.SignatureMismatch, Detail: "the body is not a form that can be signed, and the URL does not end with its bodySHA256"}
)

func twilioKeys(secret string) ([]engine.Key, error) {
	return []engine.Key{{Algorithm: engine.HMACSHA1, Secret: []byte(secret)}}, nil
}

// openTwilio keeps the two spellings of the URL, first the one that was received.
func openTwilio(r engine.Request, c *engine.SignedHeaders) error {
	c.OccurrenceID = engine.UnsignedValue(r.Header, twilioOccurrence)
	text, err := engine.Single(r.Header, twilioSignature, &twilioRefusals)
	if err != nil {
		return err
	}
	if !c.AddBase64(engine.StrictBase64, text, sha1.Size, 0) {
		return twilioRefusals.Malformed
	}
	if c.Prefix, err = r.AppendURL(c.Prefix); err != nil {
		return err
	}
	host, port := r.Host, ""
	if at := strings.LastIndexByte(host, ':'); at > strings.LastIndexByte(host, ']') {
		host = host[:at]
	} else if port = ":80"; r.Scheme == "https" {
		port = ":443"
	}
	c.Suffix = append(append(append(c.Suffix, r.Scheme...), "://"...), host...)
	c.Suffix = append(append(c.Suffix, port...), r.URI...)
	return nil
}

// twilioText makes what is signed with one spelling of the URL.
func twilioText(dst []byte, c *engine.SignedHeaders, body []byte, candidate int) ([]byte, error) {
	url := c.Prefix
	if candidate > 0 {
		url = c.Suffix
	}
	dst = append(dst, url...)
	if want, ok := digestIn(url); ok {
		if digest := hexDigest(body); string(want) != string(digest[:]) {
			return nil, twilioOtherBody
		}
		return dst, nil
	}
	dst, ok := appendForm(dst, body)
	if !ok {
		return nil, twilioNoForm
	}
	return dst, nil
}

// twilioBoundaries writes path and query, and then the fields of a form, each with its
// length, in the order in which they are signed.
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

// digestIn finds the digest at the end of a URL's query. Anywhere else it could
// be the text of a signed form's field, moved there.
func digestIn(url []byte) (digest []byte, ok bool) {
	at := len(url) - 2*sha256.Size
	name := at - len(twilioDigest)
	if name < 1 || url[name-1] != '?' && url[name-1] != '&' || string(url[name:at]) != twilioDigest {
		return nil, false
	}
	return url[at:], true
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

// maxFormFields is several times what Twilio's largest forms have.
const maxFormFields = 256

// formField is a field of a form that has been decoded into a piece of memory.
type formField struct{ name, value, end int } // where they begin, and the value's end

// appendForm appends the fields of a form as Twilio signs them: each name with
// its value. It reports whether the body is a form.
func appendForm(dst, body []byte) ([]byte, bool) { return appendFields(dst, body, appendJoined) }

func appendJoined(dst, name, value []byte) []byte { return append(append(dst, name...), value...) }

// appendFields appends the fields of a form in the order in which Twilio signs
// them: sorted, and a value once that a name has several times.
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
	// What is decoded is sorted into the room behind it, and then takes its place.
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

// compare orders fields by name, then by value, byte by byte.
func (f formField) compare(other formField, text []byte) int {
	if by := bytes.Compare(text[f.name:f.value], text[other.name:other.value]); by != 0 {
		return by
	}
	return bytes.Compare(text[f.value:f.end], text[other.value:other.end])
}

// appendUnescaped appends the text that a name or a value of a form stands for.
// It takes no character that encoders of forms escape, such as a brace or a
// quote: what else might be read as JSON is not a form.
func appendUnescaped(dst, text []byte) ([]byte, bool) {
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '+':
			dst = append(dst, ' ')
		case ch == '%':
			if i+2 >= len(text) {
				return dst, false
			}
			high, highOK := hexDigit(text[i+1])
			low, lowOK := hexDigit(text[i+2])
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

// isFormByte knows what encoders of forms leave as it is: those of browsers and
// Java, and JavaScript's encodeURIComponent. A further = is in a value.
func isFormByte(ch byte) bool {
	switch ch {
	case '-', '.', '_', '~', '*', '!', '\'', '(', ')', '=':
		return true
	}
	return 'a' <= ch|0x20 && ch|0x20 <= 'z' || '0' <= ch && ch <= '9'
}

func hexDigit(ch byte) (byte, bool) {
	switch {
	case '0' <= ch && ch <= '9':
		return ch - '0', true
	case 'a' <= ch|0x20 && ch|0x20 <= 'f':
		return ch | 0x20 - 'a' + 10, true
	}
	return 0, false
}
