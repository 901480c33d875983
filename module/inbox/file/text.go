package file

import (
	"net/http"
	"strings"

	"github.com/hooklatch/hooklatch/module/inbox"
)

// JSON text must be UTF-8, and a header may contain any bytes. widen turns
// every byte into the character with that number, and narrow undoes it.
func widen(text string) string {
	if isASCII(text) {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		b.WriteRune(rune(text[i]))
	}
	return b.String()
}

func narrow(text string) string {
	if isASCII(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		b.WriteByte(byte(r))
	}
	return b.String()
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

func widenRequest(r inbox.Request) inbox.Request  { return mapRequest(r, widen) }
func narrowRequest(r inbox.Request) inbox.Request { return mapRequest(r, narrow) }

func mapRequest(r inbox.Request, f func(string) string) inbox.Request {
	r.URI, r.Host = f(r.URI), f(r.Host)
	header := make(http.Header, len(r.Header))
	for name, values := range r.Header {
		mapped := make([]string, len(values))
		for i, value := range values {
			mapped[i] = f(value)
		}
		header[f(name)] = mapped
	}
	r.Header = header
	return r
}

func widenFacts(f inbox.Facts) inbox.Facts  { return mapFacts(f, widen) }
func narrowFacts(f inbox.Facts) inbox.Facts { return mapFacts(f, narrow) }

func mapFacts(facts inbox.Facts, f func(string) string) inbox.Facts {
	for _, text := range []*string{
		&facts.ID, &facts.Event, &facts.Tenant, &facts.Environment, &facts.OccurrenceID, &facts.UnsignedEvent,
	} {
		*text = f(*text)
	}
	return facts
}
