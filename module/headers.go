package module

import (
	"net/http"
	"time"
	"unicode"
	"unicode/utf8"
)

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
)

// milliseconds is how send times are written: RFC 3339 in UTC.
const milliseconds = "2006-01-02T15:04:05.000Z"

// maxHeaders is how many of them a delivery can have.
const maxHeaders = 10

// setHeaders writes the one set of headers that all providers are translated
// into. The request no longer has any of them from its sender. All values are in
// the piece of memory that is passed, which has room for maxHeaders.
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

// maxValue bounds the value of a header, in bytes.
const maxValue = 256

// fit gives a value that can be a header as it is, or nothing: cutting it or
// replacing characters would make another value of it.
func fit(value string) string {
	if len(value) > maxValue || !utf8.ValidString(value) {
		return ""
	}
	for _, r := range value {
		if unicode.IsControl(r) {
			return ""
		}
	}
	// Blanks at the ends are lost on the way.
	if value != "" && (value[0] == ' ' || value[len(value)-1] == ' ') {
		return ""
	}
	return value
}
