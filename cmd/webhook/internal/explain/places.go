package explain

import (
	"encoding/base64"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// maxPlaces bounds how many forms of the signature, and how many places of the
// time, are read off the headers of one delivery.
const maxPlaces = 12

// forms are the ways in which the delivery can have its signature, that of the
// definition first. If its header is not there, it may be any other.
func (d *Delivery) forms() []schemes.SignatureForm {
	all := []schemes.SignatureForm{d.Definition.Signature}
	names := []string{d.Scheme.SignatureHeader}
	if d.Request.Header.Get(names[0]) == "" {
		names = slices.Sorted(maps.Keys(d.Request.Header))
	}
	for _, name := range names {
		value := d.Request.Header.Get(name)
		all = append(all, single(name, value)...)
		for _, l := range lists(value) {
			for _, e := range l.entries {
				if encoding, ok := encodingOf(e.value); ok {
					all = append(all, schemes.SignatureForm{
						Header: name, Encoding: encoding, Separator: l.separator, Assign: l.assign, Names: []string{e.name},
					})
				}
			}
		}
	}
	return all[:min(len(all), 1+maxPlaces)]
}

// front is what stands in front of a single signature.
var front = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}(?:=|:| )`)

// single is a header that has one signature and nothing else.
func single(name, value string) (all []schemes.SignatureForm) {
	prefix := front.FindString(value)
	for _, prefix := range slices.Compact([]string{"", prefix}) {
		if encoding, ok := encodingOf(value[len(prefix):]); ok {
			all = append(all, schemes.SignatureForm{Header: name, Encoding: encoding, Prefix: prefix})
		}
	}
	return all
}

// times are the places where the delivery can have its signed time, that of the
// definition first.
func (d *Delivery) times() []schemes.TimePlace {
	own := d.Definition.Timestamp
	all := []schemes.TimePlace{own}
	add := func(place schemes.Place, text string) {
		unit, ok := unitOf(text)
		if ok && (place != own.Place || unit != own.Unit) {
			all = append(all, schemes.TimePlace{Place: place, Unit: unit})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.Request.Header)) {
		value := d.Request.Header.Get(name)
		add(schemes.Place{Header: name}, value)
		for _, l := range lists(value) {
			for _, e := range l.entries {
				add(schemes.Place{Field: e.name}, e.value)
			}
		}
	}
	return all[:min(len(all), 1+maxPlaces)]
}

// unitOf tells in which of a definition's units a text is a time; seconds need
// not be said.
func unitOf(text string) (unit string, ok bool) {
	switch {
	case timeText.FindString(text) != text:
		return "", false
	case strings.Contains(text, "T"):
		return "rfc3339", true
	case len(text) == 13:
		return "ms", true
	}
	return "", len(text) == 10
}

// list is a header read as entries with names.
type list struct {
	separator, assign string // assign is empty for =
	entries           []namedEntry
}

type namedEntry struct{ name, value string }

var entryName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}$`)

// lists are the ways to read a header as a list.
func lists(value string) (all []list) {
	for _, separator := range []string{", ", ",", ";", "|", "&", " "} {
		for _, assign := range []string{"", ":", ","} {
			l := list{separator: separator, assign: assign}
			for text := range strings.SplitSeq(value, separator) {
				name, value, ok := strings.Cut(text, assignOf(assign))
				if ok && entryName.MatchString(name) {
					l.entries = append(l.entries, namedEntry{name, value})
				}
			}
			if len(l.entries) > 1 {
				all = append(all, l)
			}
		}
	}
	return all
}

func assignOf(assign string) string {
	if assign == "" {
		return "="
	}
	return assign
}

// shortest is the length in bytes of the shortest signature that there is.
const shortest = 20

// encodingOf tells how a definition calls the encoding of a signature; hex need
// not be said.
func encodingOf(text string) (encoding string, ok bool) {
	for _, e := range []struct {
		name string
		read func(string) ([]byte, error)
	}{
		{"", hex.DecodeString},
		{"base64", base64.StdEncoding.DecodeString},
		{"base64url", base64.RawURLEncoding.DecodeString},
	} {
		if sum, err := e.read(text); err == nil && len(sum) >= shortest {
			return e.name, true
		}
	}
	return "", false
}
