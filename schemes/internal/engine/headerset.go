package engine

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// headerSet holds the headers of a defined scheme, in canonical form, with
// their refusals. A scheme with aliases has several.
type headerSet struct {
	signature, time, id signedHeader
	values              []signedHeader // of {header.X}, in the order of the template

	event, occurrence string // empty if there is none
}

// signedHeader is a header whose value is signed, or the signature header. The
// name is empty if the value is not in a header.
type signedHeader struct {
	name string
	Refusals
}

// headerSet returns the set with the definition's names renamed. Refusals name
// the headers as rename writes them.
func (c *defined) headerSet(rename func(string) string) headerSet {
	header := func(name, grammar string) signedHeader {
		if name == "" {
			return signedHeader{}
		}
		name = rename(name)
		return signedHeader{http.CanonicalHeaderKey(name), SignedHeaderRefusals(name, grammar)}
	}
	set := headerSet{
		time: header(c.Timestamp.Header, timeGrammars[c.Timestamp.Unit]),
		id:   header(c.ID.Header, c.idWords()),
	}
	signature := rename(c.Signature.Header)
	set.signature = signedHeader{http.CanonicalHeaderKey(signature), SignatureRefusals(signature, c.describeForm())}
	for _, name := range c.template.headers {
		set.values = append(set.values, header(name, "a text of up to 4096 bytes without control characters"))
	}
	if c.Event.Header != "" {
		set.event = http.CanonicalHeaderKey(rename(c.Event.Header))
	}
	if c.OccurrenceID != "" {
		set.occurrence = http.CanonicalHeaderKey(rename(c.OccurrenceID))
	}
	return set
}

// timeGrammars describes the units of times, for refusals.
var timeGrammars = map[string]string{
	unitSeconds: "a Unix time in seconds",
	unitMillis:  "a Unix time in milliseconds, which has 13 digits",
	unitRFC3339: "a time as RFC 3339 says",
}

// idWords describes an id, for refusals.
func (c *defined) idWords() string {
	words := fmt.Sprintf("an id of 1 to %d visible characters of ASCII", maxIDLen)
	var without []string
	for ch := byte('!'); ch < 0x7F; ch++ {
		if !c.ids.holds(ch) {
			without = append(without, string(ch))
		}
	}
	if len(without) > 0 {
		words += " other than " + strings.Join(without, " and ")
	}
	return words
}

// signed lists the signed headers without the signature's.
func (s *headerSet) signed() []string {
	var names []string
	for _, h := range append([]signedHeader{s.id, s.time}, s.values...) {
		if h.name != "" {
			names = append(names, h.name)
		}
	}
	return names
}

// signedAll lists the signed headers, the signature's first.
func (s *headerSet) signedAll() []string {
	return append([]string{s.signature.name}, s.signed()...)
}

// eventSigned reports whether the event's header is one of the template's.
func (s *headerSet) eventSigned() bool { return s.eventAt() >= 0 }

// eventAt returns the position of the event's header among the template's, or
// -1.
func (s *headerSet) eventAt() int {
	return slices.IndexFunc(s.values, func(h signedHeader) bool { return s.event != "" && h.name == s.event })
}

// unsigned lists the headers that are not signed.
func (s *headerSet) unsigned() []string {
	var names []string
	if s.event != "" && !s.eventSigned() {
		names = append(names, s.event)
	}
	if s.occurrence != "" {
		names = append(names, s.occurrence)
	}
	return names
}

// all lists every header.
func (s *headerSet) all() []string { return append(s.signedAll(), s.unsigned()...) }

// sent reports whether the request has any of the signed headers.
func (s *headerSet) sent(h http.Header) bool {
	if _, ok := h[s.signature.name]; ok {
		return true
	}
	for _, other := range [...]*signedHeader{&s.time, &s.id} {
		if _, ok := h[other.name]; ok && other.name != "" {
			return true
		}
	}
	for i := range s.values {
		if _, ok := h[s.values[i].name]; ok {
			return true
		}
	}
	return false
}
