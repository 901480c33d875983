package module

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
)

// The values of Handler.Emit.
const (
	EmitWebhook     = "webhook"
	EmitCloudEvents = "cloudevents"
	EmitNone        = "none"
)

// headerOptions say which headers the application gets.
type headerOptions struct{ webhook, cloudEvents bool }

// headerOptionsOf compiles the option emit. By default, the headers are those
// of `webhook`.
func headerOptionsOf(names []string) headerOptions {
	return headerOptions{
		webhook:     len(names) == 0 || slices.Contains(names, EmitWebhook),
		cloudEvents: slices.Contains(names, EmitCloudEvents),
	}
}

func checkEmit(names []string) error {
	known := []string{EmitWebhook, EmitCloudEvents, EmitNone}
	for i, name := range names {
		switch {
		case !slices.Contains(known, name):
			return fmt.Errorf("emit: this is not known; write %s", strings.Join(known, ", "))
		case slices.Contains(names[:i], name):
			return fmt.Errorf("emit: %s is given twice; write it once", name)
		case name == EmitNone && len(names) > 1:
			return fmt.Errorf("emit none stands beside another emit; write none alone, or leave it out")
		}
	}
	return nil
}

// setUpstreamHeaders writes the headers of a verified delivery. A signature is
// added only if the delivery is new. The request no longer has any of these
// headers from its sender. values is the memory for the header values.
func (h *Handler) setUpstreamHeaders(header http.Header, d *delivery, values []string) {
	if h.headerOptions.webhook {
		d.setHeaders(header, values)
	}
	if h.headerOptions.cloudEvents {
		d.setCloudEvent(header)
	}
	if h.signer == nil {
		return
	}
	// The provider's own signature under these names was made for others.
	delete(header, headerTimestamp)
	delete(header, headerSignature)
	if d.verdict == accepted {
		id := d.id()
		if strings.Contains(id, ".") {
			// With a dot in the id, text could move between id, time and body.
			id = d.event.Content.ID()
		}
		h.signer.sign(header, id, h.now(), d.body.Buffer.Bytes())
	}
}

// The headers that the application receives.
const (
	headerVerdict       = "Webhook-Verdict"
	headerProvider      = "Webhook-Provider"
	headerID            = "Webhook-Id"
	headerEvent         = "Webhook-Event"
	headerSentAt        = "Webhook-Sent-At"
	headerOccurredAt    = "Webhook-Occurred-At"
	headerTenant        = "Webhook-Tenant"
	headerEnvironment   = "Webhook-Environment"
	headerOccurrenceID  = "Webhook-Occurrence-Id"
	headerUnsignedEvent = "Webhook-Unsigned-Event"

	// Only deliveries from the inbox have these.
	headerAttempt    = "Webhook-Attempt"
	headerReceivedAt = "Webhook-Received-At"
)

// milliseconds is the format of send times: RFC 3339 in UTC.
const milliseconds = "2006-01-02T15:04:05.000Z"

// maxHeaders is how many of these headers a delivery can have.
const maxHeaders = 10

// setHeaders writes the common set of headers that all providers are translated
// into. The request no longer has any of them from its sender. All values share
// the memory of values, which has room for maxHeaders.
func (d *delivery) setHeaders(header http.Header, values []string) {
	set := func(name, value string) {
		if value != "" {
			values = append(values, value)
			header[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	set(headerVerdict, string(d.verdict))
	set(headerProvider, d.handler.Provider)
	set(headerID, d.id())
	set(headerEvent, fit(d.facts.Type))
	if d.sentHeader {
		set(headerSentAt, d.sentAt.UTC().Format(milliseconds))
	}
	if at := d.facts.OccurredAt; !at.IsZero() {
		set(headerOccurredAt, at.UTC().Format(time.RFC3339Nano))
	}
	set(headerTenant, fit(d.facts.Tenant))
	set(headerEnvironment, fit(d.facts.Environment))
	set(headerOccurrenceID, fit(d.occurrence.Value))
	set(headerUnsignedEvent, fit(d.unsigned.Value))
}

// setAttempt writes the headers of a delivery from the inbox: the number of the
// attempt, and when the body arrived.
func (d *delivery) setAttempt(header http.Header, receivedAt time.Time) {
	if d.handler.headerOptions.webhook {
		header[headerAttempt] = []string{strconv.Itoa(d.attempt)}
		header[headerReceivedAt] = []string{receivedAt.UTC().Format(milliseconds)}
	}
}

// maxValue is the largest value of a header, in bytes.
const maxValue = 256

// fit returns the value if it can be a header unchanged, or an empty string.
// Cutting the value or replacing characters would make it another value.
func fit(value string) string {
	if len(value) > maxValue || !utf8.ValidString(value) {
		return ""
	}
	for _, r := range value {
		if unicode.IsControl(r) {
			return ""
		}
	}
	// Spaces at the ends are lost on the way.
	if value != "" && (value[0] == ' ' || value[len(value)-1] == ' ') {
		return ""
	}
	return value
}

// The attributes of a CloudEvent in HTTP's binary mode, version 1.0.2 of the
// binding: github.com/cloudevents/spec, bindings/http-protocol-binding.md.
const (
	ceSpecVersion = "Ce-Specversion"
	ceID          = "Ce-Id"
	ceSource      = "Ce-Source"
	ceType        = "Ce-Type"
	ceTime        = "Ce-Time"
)

// ceUnknownType is the type of an event that has no signed type. A CloudEvent
// must have one.
const ceUnknownType = "webhook.delivery"

// setCloudEvent makes the request a CloudEvent whose data is the body. Its time
// is the time of the event, or else the signed send time. Without either, it
// has no time.
func (d *delivery) setCloudEvent(header http.Header) {
	kind := fit(d.facts.Type)
	if kind == "" {
		kind = ceUnknownType
	}
	header[ceSpecVersion] = []string{"1.0"}
	header[ceID] = []string{percentEncoded(d.id())}
	header[ceSource] = []string{"urn:webhook:" + d.handler.Provider}
	header[ceType] = []string{percentEncoded(kind)}
	switch at := d.facts.OccurredAt; {
	case !at.IsZero():
		header[ceTime] = []string{at.UTC().Format(time.RFC3339Nano)}
	case d.sentHeader:
		header[ceTime] = []string{d.sentAt.UTC().Format(milliseconds)}
	}
}

// percentEncoded encodes a value for a header, as section 3.1.3.2 of the
// binding requires: it encodes every byte that is not printable ASCII, and also
// space, quotation mark and percent sign.
func percentEncoded(value string) string {
	const digits = "0123456789ABCDEF"
	plain := func(b byte) bool { return b > ' ' && b < 0x7f && b != '"' && b != '%' }
	var text strings.Builder
	for i := range len(value) {
		if b := value[i]; plain(b) {
			text.WriteByte(b)
		} else {
			text.Write([]byte{'%', digits[b>>4], digits[b&0xf]})
		}
	}
	return text.String()
}

// The headers of a Standard Webhooks signature, besides the id.
const (
	headerTimestamp = "Webhook-Timestamp"
	headerSignature = "Webhook-Signature"
)

// signer signs deliveries for the application, as Standard Webhooks 1.0.0
// defines it for symmetric keys: HMAC-SHA256 over id, time and body, separated
// by dots. (github.com/standard-webhooks/standard-webhooks,
// spec/standard-webhooks.md)
type signer struct{ keys [][]byte }

// newSigner resolves the secrets of sign_upstream. Its errors never contain a
// secret.
func newSigner(secrets []string) (*signer, error) {
	if len(secrets) == 0 {
		return nil, nil
	}
	resolved, err := resolveSecrets(caddy.NewReplacer(), secrets)
	if err != nil {
		return nil, fmt.Errorf("sign_upstream: %w", err)
	}
	s := &signer{}
	for i, secret := range resolved {
		key, err := signingKey(secret)
		if err != nil {
			return nil, fmt.Errorf("sign_upstream: secret %d %w", i+1, err)
		}
		s.keys = append(s.keys, key)
	}
	return s, nil
}

// checkSigning checks secrets as they are written. Those with placeholders are
// checked when the configuration loads.
func checkSigning(secrets []string) error {
	for i, secret := range secrets {
		err := checkSecret(secret)
		if err == nil && !strings.Contains(secret, "{") {
			_, err = signingKey(secret)
		}
		if err != nil {
			return fmt.Errorf("sign_upstream: secret %d %w", i+1, err)
		}
	}
	return nil
}

var errNoSigningKey = errors.New("is not a secret of Standard Webhooks; write whsec_ and behind it the base64 of 24 to 64 random bytes, such as `openssl rand -base64 32` makes")

// signingKey parses a secret as the specification of Standard Webhooks defines
// it. The scheme accepts more forms, because not all senders follow the
// specification.
func signingKey(secret string) ([]byte, error) {
	text, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || strings.ContainsAny(text, "\r\n") || len(key) < 24 || len(key) > 64 {
		return nil, errNoSigningKey
	}
	return key, nil
}

// sign writes id, time and a signature for each key.
func (s *signer) sign(header http.Header, id string, at time.Time, body []byte) {
	seconds := strconv.FormatInt(at.Unix(), 10)
	head := []byte(id + "." + seconds + ".")
	signatures := make([]string, len(s.keys))
	for i, key := range s.keys {
		mac := hmac.New(sha256.New, key)
		mac.Write(head)
		mac.Write(body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	header[headerID] = []string{id}
	header[headerTimestamp] = []string{seconds}
	header[headerSignature] = []string{strings.Join(signatures, " ")}
}
