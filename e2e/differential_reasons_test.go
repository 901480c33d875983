package e2e

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// knownDifference is a deliberate difference between our verdict and a
// library's. docs/providers.md lists each by name, with the reason.
type knownDifference struct {
	name string
	// accepts means that Hooklatch accepts the delivery and the library refuses
	// it.
	accepts bool
	holds   func(d *disagreement) bool
}

// disagreement is a delivery on which Hooklatch and a library differ.
type disagreement struct {
	*trial
	library      library
	ours, theirs verdict
	agrees       bool // another library of the provider has our verdict
}

func (d *disagreement) refusedAs(reason string) bool {
	return strings.HasPrefix(string(d.ours), reason+":")
}

// why returns the name of the difference, or nothing if it is not known.
func (d *disagreement) why() string {
	for _, known := range differences {
		if known.accepts == (d.ours == "") && known.holds(d) {
			return known.name
		}
	}
	return ""
}

var (
	plainSeconds = regexp.MustCompile(`^[0-9]{1,10}$`)
	plainID      = regexp.MustCompile(`^[!-~]{1,256}$`)
	arrayIndex   = regexp.MustCompile(`(?:^|&)(?:0|[1-9][0-9]*)(?:=|&|$)`)
	dotSegment   = regexp.MustCompile(`(?i)/(?:\.|%2e){1,2}(?:/|$)`)
	entryAndMore = regexp.MustCompile(`(?:^| )v1,[^, ]*,`)
	hexText      = regexp.MustCompile(`[0-9A-Fa-f]{64,}`)
	formText     = regexp.MustCompile(`^(?:[A-Za-z0-9._~*!'()=&+-]|%[0-9A-Fa-f]{2})*$`)
)

var differences = []knownDifference{
	// Hooklatch refuses.
	{name: "a signed header twice", holds: func(d *disagreement) bool {
		header := http.Header{}
		for _, h := range d.headers {
			header.Add(h.Name, h.Value)
		}
		return slices.ContainsFunc(d.signedHeaders(), func(name string) bool { return len(header.Values(name)) > 1 })
	}},
	{name: "a signed header absent or empty", holds: func(d *disagreement) bool {
		return d.refusedAs("missing_signed_header")
	}},
	{name: "a time ahead of the clock", holds: func(d *disagreement) bool { return d.refusedAs("future") }},
	{name: "an old time", holds: func(d *disagreement) bool { return d.refusedAs("stale") }},
	{name: "a time in another notation", holds: func(d *disagreement) bool {
		const fixed = 10 // digits, if no separator is between time and body
		plain := plainSeconds.MatchString(d.sentAt())
		if d.name == "discord" || d.name == "sendgrid" {
			plain = plain && len(d.sentAt()) == fixed
		}
		return d.timed && !plain && (d.refusedAs("malformed_signed_header") || d.refusedAs("malformed_signature"))
	}},
	{name: "an id with a dot, a blank or what is not ASCII", holds: func(d *disagreement) bool {
		id := d.get(d.id)
		return d.id != "" && d.refusedAs("malformed_signed_header") && (!plainID.MatchString(id) || strings.Contains(id, "."))
	}},
	{name: "a key of fewer than 16 or more than 128 bytes", holds: func(d *disagreement) bool {
		return strings.HasPrefix(string(d.ours), "secret 1: has ")
	}},
	{name: "a secret without its whsec_", holds: func(d *disagreement) bool {
		return d.id != "" && strings.HasPrefix(string(d.ours), "secret 1: ") && !strings.Contains(d.secret, "whsec_")
	}},
	{name: "text in place of bytes", holds: func(d *disagreement) bool {
		return d.refusedAs("signature_mismatch") && (!utf8.Valid(d.body) || strings.HasPrefix(string(d.body), "\ufeff"))
	}},
	{name: "JSON that is written anew", holds: func(d *disagreement) bool {
		return d.library.Bodies == compactJSON && d.refusedAs("signature_mismatch") && !isCompact(d.body)
	}},
	{name: "a send time twice", holds: func(d *disagreement) bool {
		return (d.name == "stripe" || d.name == "paddle") && d.refusedAs("malformed_signature") && len(timeEntry.FindAllString(d.get(d.signature), -1)) > 1
	}},
	{name: "an entry with more after its signature", holds: func(d *disagreement) bool {
		return d.id != "" && d.refusedAs("malformed_signature") && entryAndMore.MatchString(d.get(d.signature))
	}},
	{name: "a signature in another spelling", holds: func(d *disagreement) bool {
		return d.refusedAs("malformed_signature") && (d.name == "sendgrid" || d.name == "discord")
	}},
	{name: "a brace in the URL", holds: func(d *disagreement) bool {
		return d.name == "square" && d.refusedAs("malformed_signed_header") && strings.Contains(d.url, "{")
	}},
	{name: "bodySHA256 that does not end the URL", holds: func(d *disagreement) bool {
		at := strings.LastIndex(d.url, "bodySHA256=")
		return d.name == "twilio" && d.refusedAs("signature_mismatch") && at >= 0 &&
			(len(d.url)-at != len("bodySHA256=")+64 || d.url[at-1] != '&' && d.url[at-1] != '?' || !d.asReceived())
	}},
	{name: "a form that no encoder writes", holds: func(d *disagreement) bool {
		return d.name == "twilio" && d.refusedAs("signature_mismatch") && !formText.Match(d.body)
	}},
	{name: "a path with dot segments or backslashes", holds: func(d *disagreement) bool {
		return d.name == "twilio" && d.refusedAs("signature_mismatch") && (dotSegment.MatchString(d.path()) || strings.Contains(d.path(), `\`))
	}},
	{name: "a query that is not UTF-8", holds: func(d *disagreement) bool {
		query, err := url.QueryUnescape(d.query())
		return d.name == "twilio" && d.refusedAs("signature_mismatch") && (err != nil || !utf8.ValidString(query))
	}},
	{name: "a caret in the path", holds: func(d *disagreement) bool {
		return d.name == "twilio" && d.refusedAs("signature_mismatch") && strings.Contains(d.path(), "^")
	}},
	{name: "a query whose names are numbers", holds: func(d *disagreement) bool {
		names, _ := url.QueryUnescape(d.query())
		return d.name == "twilio" && d.refusedAs("signature_mismatch") && (arrayIndex.MatchString(d.query()) || arrayIndex.MatchString(names))
	}},

	// Hooklatch accepts.
	{name: "hexadecimal digits in capitals", accepts: true, holds: func(d *disagreement) bool {
		value := hexText.FindString(d.get(d.signature))
		return len(value) >= 64 && strings.ToLower(value) != value
	}},
	{name: "a shorter tolerance", accepts: true, holds: func(d *disagreement) bool {
		limit := map[string]int64{"@paddle/paddle-node-sdk": 5_000, "@linear/sdk": 60_000}[d.library.Name]
		age := d.now.UnixMilli() - d.sentAtMS()
		return limit > 0 && (age > limit || age < -limit)
	}},
	{name: "a body that is empty or no JSON", accepts: true, holds: func(d *disagreement) bool {
		return d.name != "twilio" && !json.Valid(d.body)
	}},
	{name: "Shopify's headers that are not signed", accepts: true, holds: func(d *disagreement) bool {
		return slices.ContainsFunc(d.unsigned, func(h harness.Header) bool { return d.get(h.Name) == "" })
	}},
	{name: "a key as tools write it", accepts: true, holds: func(d *disagreement) bool {
		return d.secret != d.specimen.secret && (d.key != "" || d.id != "") && d.authentic()
	}},
	{name: "a list with an entry that is no signature", accepts: true, holds: func(d *disagreement) bool {
		return (d.timed || d.id != "") && strings.ContainsAny(d.get(d.signature), ",; ") && d.authentic()
	}},
	{name: "a form field that is not UTF-8", accepts: true, holds: func(d *disagreement) bool {
		fields, _ := formFields(string(d.body))
		return d.name == "twilio" && !utf8.ValidString(fields)
	}},
	{name: "a caret in the path", accepts: true, holds: func(d *disagreement) bool {
		return d.name == "twilio" && strings.Contains(d.path(), "^")
	}},
	{name: "a URL without a path", accepts: true, holds: func(d *disagreement) bool {
		return d.name == "square" && (d.path() == "" || d.path() == "/")
	}},

	// This is the last one, because it is the least specific.
	{name: "the provider's libraries differ", holds: func(d *disagreement) bool { return d.agrees }},
	{name: "the provider's libraries differ", accepts: true, holds: func(d *disagreement) bool { return d.agrees }},
}

var (
	hexMACs    = regexp.MustCompile(`[0-9A-Fa-f]{64,}`)
	base64MACs = regexp.MustCompile(`[A-Za-z0-9+/]{27,43}=`)
)

// authentic reports whether the signature that belongs to what was received, made
// or verified here from the documentation, is among those that were sent. Where a
// URL is signed, that is the signature of what the sender signed, and what was
// received has to mean the same.
func (c *trial) authentic() bool {
	switch {
	case c.name == "sendgrid":
		return c.verifiesECDSA()
	case c.located && !c.meansWhatWasSigned():
		return false
	}
	received := draft{id: c.get(c.id), time: c.sentAt(), body: string(c.body), key: c.signer}
	if c.located {
		received = c.sent
	}
	made := harness.Delivery{Headers: c.specimen.signed(received)}.Get(c.signature)
	macs, sent := hexMACs, strings.ToLower(c.get(c.signature))
	if !macs.MatchString(made) {
		macs, sent = base64MACs, c.get(c.signature)
	}
	return macs.MatchString(made) && strings.Contains(sent, macs.FindString(made))
}

// verifiesECDSA reports whether the signature is the sender's, of the time and the
// body that were received.
func (c *trial) verifiesECDSA() bool {
	der, _ := base64.StdEncoding.DecodeString(c.signer)
	key, err := x509.ParsePKCS8PrivateKey(der)
	signature, err2 := base64.StdEncoding.DecodeString(c.get(c.signature))
	if err != nil || err2 != nil {
		return false
	}
	digest := sha256.Sum256([]byte(c.sentAt() + string(c.body)))
	return ecdsa.VerifyASN1(&key.(*ecdsa.PrivateKey).PublicKey, digest[:], signature)
}

// meansWhatWasSigned compares what was received with what was signed, decoded.
func (c *trial) meansWhatWasSigned() bool {
	if !slices.Equal(meaning(c.url), meaning(c.sent.url)) {
		return false
	}
	_, digest, inURL := strings.Cut(c.sent.url, "bodySHA256=")
	fields, ok := formFields(string(c.body))
	signed, signedOK := formFields(c.sent.body)
	switch {
	case c.name == "twilio" && inURL:
		return strings.HasPrefix(digest, fmt.Sprintf("%x", sha256.Sum256(c.body)))
	case c.name == "twilio" && ok && signedOK:
		return fields == signed
	}
	return string(c.body) == c.sent.body
}

// meaning is a URL in its parts: the host's name, the path, and the names and
// values of the query, all decoded.
func meaning(text string) (parts []string) {
	scheme, rest, _ := strings.Cut(text, "://")
	rest, query, _ := strings.Cut(rest, "?")
	host, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, ':'); at > strings.LastIndexByte(host, ']') {
		host = host[:at] // Twilio's libraries try the URL with the standard port, and without any
	}
	parts = append(parts, scheme, strings.ToLower(host), decoded(path, false))
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); pair != "" {
			parts = append(parts, decoded(name, true), decoded(value, true))
		}
	}
	return parts
}

// decoded undoes what is an escape, and leaves the rest.
func decoded(text string, inQuery bool) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		ch := text[i]
		if n, err := strconv.ParseUint(text[min(i+1, len(text)):min(i+3, len(text))], 16, 8); ch == '%' && i+2 < len(text) && err == nil {
			ch, i = byte(n), i+2
		} else if ch == '+' && inQuery {
			ch = ' '
		}
		b.WriteByte(ch)
	}
	return b.String()
}

// signedHeaders returns the names of the signed headers.
func (c *trial) signedHeaders() []string {
	names := []string{c.signature, c.id}
	if prefix, ok := strings.CutSuffix(c.id, "id"); ok {
		names = append(names, prefix+"timestamp")
	}
	for _, name := range timeHeaders {
		names = append(names, name)
	}
	return slices.DeleteFunc(append(names, "X-Twilio-Webhooks-Signature-Settings"), func(name string) bool { return name == "" })
}

var timeHeaders = map[string]string{
	"slack": "X-Slack-Request-Timestamp", "zoom": "x-zm-request-timestamp", "discord": "X-Signature-Timestamp",
	"sendgrid": "X-Twilio-Email-Event-Webhook-Timestamp",
}

var timeEntry = regexp.MustCompile(`(?:^|[,; ])ts?=([^,;]*)`)

// sentAt returns the signed time as it was sent.
func (c *trial) sentAt() string {
	if prefix, ok := strings.CutSuffix(c.id, "id"); ok {
		return c.get(prefix + "timestamp")
	}
	if name := timeHeaders[c.name]; name != "" {
		return c.get(name)
	}
	if m := timeEntry.FindStringSubmatch(c.get(c.signature)); m != nil {
		return m[1]
	}
	return ""
}

// sentAtMS returns the signed time in milliseconds, also from a body.
func (c *trial) sentAtMS() int64 {
	var body struct{ WebhookTimestamp int64 }
	if c.name == "linear" {
		_ = json.Unmarshal(c.body, &body)
		return body.WebhookTimestamp
	}
	n, _ := strconv.ParseInt(c.sentAt(), 10, 64)
	return n * 1000
}

func (c *trial) path() string {
	_, rest, _ := strings.Cut(c.url, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if at := strings.IndexByte(rest, '/'); at >= 0 {
		return rest[at:]
	}
	return ""
}

func (c *trial) query() string {
	_, query, _ := strings.Cut(c.url, "?")
	return query
}

// asReceived reports whether no change has respelled the URL.
func (c *trial) asReceived() bool {
	return !slices.ContainsFunc(c.changes, func(s string) bool { return strings.HasPrefix(s, "URL ") })
}

// isCompact reports whether a body is written as JSON.stringify writes it.
func isCompact(body []byte) bool {
	var compact strings.Builder
	e := json.NewEncoder(&compact)
	e.SetEscapeHTML(false)
	var raw json.RawMessage
	if json.Unmarshal(body, &raw) != nil || e.Encode(raw) != nil {
		return true
	}
	return strings.TrimSuffix(compact.String(), "\n") == string(body)
}

// verdict is empty for a delivery that was accepted.
type verdict string
