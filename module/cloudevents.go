package module

import (
	"net/http"
	"strings"
	"time"
)

// The attributes of a CloudEvent in HTTP's binary mode, version 1.0.2 of the
// binding: github.com/cloudevents/spec, bindings/http-protocol-binding.md.
const (
	ceSpecVersion = "Ce-Specversion"
	ceID          = "Ce-Id"
	ceSource      = "Ce-Source"
	ceType        = "Ce-Type"
	ceTime        = "Ce-Time"
)

// ceUnknownType is the type of an event whose own is not signed: a CloudEvent
// must have one.
const ceUnknownType = "webhook.delivery"

// setCloudEvent makes the request a CloudEvent whose data are the body. Its
// time is the event's own or else the signed send time; without either it has
// none.
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

// percentEncoded writes a value as section 3.1.3.2 of the binding wants it in a
// header: every byte is encoded that is not printable ASCII, and blank, quote
// and percent sign too.
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
