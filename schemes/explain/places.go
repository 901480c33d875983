package explain

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// maxPlaces bounds how many forms of the signature, and how many places of time
// and id, are read off the headers of one delivery.
const maxPlaces = 12

// signatureForm is a way in which a header can have a signature of some bytes; the size
// is 0 where it is not known.
type signatureForm struct {
	schemes.SignatureForm
	size int
}

// forms are those of the delivery: the definition's own, then what its header
// shows, then the other headers.
func (d *Delivery) forms() []signatureForm {
	all := []signatureForm{{d.Definition.Signature, 0}}
	names := slices.Sorted(maps.Keys(d.Request.Header))
	for _, name := range append([]string{d.Scheme.SignatureHeader()}, names...) {
		value := d.Request.Header.Get(name)
		all = append(all, single(name, value)...)
		for _, l := range lists(value) {
			for _, e := range l.entries {
				if encoding, size := encodingOf(e.value); size > 0 {
					all = append(all, signatureForm{schemes.SignatureForm{
						Header: name, Encoding: encoding, Separator: l.separator, Assign: l.assign, Names: []string{e.name},
					}, size})
				}
			}
		}
	}
	return all[:min(len(all), 1+maxPlaces)]
}

// front is what stands in front of a single signature.
var front = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}(?:=|:| )`)

// single is a header that has one signature and nothing else.
func single(name, value string) (all []signatureForm) {
	for _, prefix := range slices.Compact([]string{"", front.FindString(value)}) {
		if encoding, size := encodingOf(value[len(prefix):]); size > 0 {
			all = append(all, signatureForm{schemes.SignatureForm{Header: name, Encoding: encoding, Prefix: prefix}, size})
		}
	}
	return all
}

// versionText is what some providers sign in front of all else, and write in front
// of the signature.
var versionText = regexp.MustCompile(`^v\d+\b`)

func (d *Delivery) versions() (all []string) {
	for _, f := range d.forms() {
		for _, text := range append([]string{f.Prefix}, f.Names...) {
			if found := versionText.FindString(text); found != "" {
				all = append(all, found)
			}
		}
	}
	return unique(all)
}

// times are the places where the delivery can have its signed time, that of the
// definition first.
func (d *Delivery) times() []schemes.TimePlace {
	own := d.Definition.Timestamp
	all := []schemes.TimePlace{own}
	for p := range d.places() {
		unit, ok := unitOf(p.value)
		if ok && (p.place != own.Place || unit != own.Unit) {
			all = append(all, schemes.TimePlace{Place: p.place, Unit: unit})
		}
	}
	return all[:min(len(all), 1+maxPlaces)]
}

// unitOf returns in which of a definition's units a text is a time; seconds need
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

// idText is what can be an id.
var idText = regexp.MustCompile(`^[!-~]{1,256}$`)

// ids are the places where the delivery can have a signed id, that of the
// definition first.
func (d *Delivery) ids() []schemes.Place {
	own := d.Definition.ID
	all := []schemes.Place{own}
	for p := range d.places() {
		_, isTime := unitOf(p.value)
		if idText.MatchString(p.value) && !isTime && p.place != own && !slices.Contains(usualHeaders, p.place.Header) {
			all = append(all, p.place)
		}
	}
	return all[:min(len(all), 1+maxPlaces)]
}

// usualHeaders have values that look like ids and are none.
var usualHeaders = []string{"Accept-Encoding", "Connection", "Content-Length", "Host", "Traceparent", "User-Agent"}

// encodingOf returns how a definition calls the encoding of a signature, and its
// size in bytes, 0 if the text is none. Hex need not be said.
func encodingOf(text string) (encoding string, size int) {
	for _, e := range []struct {
		name string
		read func(string) ([]byte, error)
	}{
		{"", hex.DecodeString},
		{"base64", base64.StdEncoding.DecodeString},
		{"base64url", base64.RawURLEncoding.DecodeString},
	} {
		if sum, err := e.read(text); err == nil && isSignatureSize(len(sum)) {
			return e.name, len(sum)
		}
	}
	return "", 0
}

// isSignatureSize knows the sizes of HMACs and Ed25519, and about that of ECDSA.
func isSignatureSize(size int) bool {
	return slices.Contains([]int{20, 32, 48, 64}, size) || size >= 66 && size <= 72
}

// headerValue is a value of the delivery's headers, and where it is.
type headerValue struct {
	place schemes.Place
	value string
}

// places are all headers, and the entries of those that are lists.
func (d *Delivery) places() iter.Seq[headerValue] {
	return func(yield func(headerValue) bool) {
		seen := map[headerValue]bool{}
		going := true
		try := func(p headerValue) {
			if going && !seen[p] {
				seen[p] = true
				going = yield(p)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(d.Request.Header)) {
			value := d.Request.Header.Get(name)
			try(headerValue{schemes.Place{Header: name}, value})
			for _, l := range lists(value) {
				for _, e := range l.entries {
					try(headerValue{schemes.Place{Field: e.name}, e.value})
				}
			}
		}
	}
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
	for _, separator := range []string{", ", ",", "; ", ";", "|", "&", " "} {
		for _, assign := range []string{"", ":", ","} {
			l := list{separator: separator, assign: assign}
			for text := range strings.SplitSeq(value, separator) {
				name, value, ok := strings.Cut(text, cmp.Or(assign, "="))
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

// onlyBody is the text that a definition signs if it says nothing else.
const onlyBody = "{body}"

const (
	timestampVar = "{timestamp}"
	idVar        = "{id}"
)

var variable = regexp.MustCompile(`\{[^{}]+\}`)

// separators are what providers put between the parts that they sign.
var separators = []string{".", "", ":", "|", "\n", ",", "-", "_", ";", " ", "|>"}

// maxVariables bounds the orders that are tried.
const maxVariables = 4

// templates are the texts that can be signed in place of the one that the
// definition has, which comes first: the same parts with and without time and id,
// in all orders, with all separators, and with a version such as v0 in front. Of
// a large body only the definition's own is tried.
func (d *Delivery) templates() []string {
	own := cmp.Or(d.Definition.Signed, onlyBody)
	all := []string{own}
	if len(d.Body) > maxPaired {
		return all
	}
	variables := variable.FindAllString(own, -1)
	rest := slices.DeleteFunc(slices.Clone(variables), func(v string) bool { return v == timestampVar || v == idVar })
	fronts := unique(slices.Concat([]string{""}, d.versions(), []string{"v0", "v1"}))
	for _, parts := range [][]string{
		variables,
		slices.Concat([]string{timestampVar}, rest),
		rest,
		slices.Concat([]string{idVar}, rest),
		slices.Concat([]string{idVar, timestampVar}, rest),
	} {
		if len(parts) > maxVariables {
			continue
		}
		for _, front := range fronts {
			for _, order := range orders(parts) {
				if front != "" {
					order = slices.Concat([]string{front}, order)
				}
				for _, separator := range separators {
					all = append(all, strings.Join(order, separator))
				}
			}
		}
	}
	return unique(all)
}

// unique leaves the first of several that are the same.
func unique(all []string) (once []string) {
	seen := map[string]bool{}
	for _, text := range all {
		if !seen[text] {
			seen[text] = true
			once = append(once, text)
		}
	}
	return once
}

// orders are all orders of some parts, the given one first.
func orders[T any](parts []T) [][]T {
	if len(parts) < 2 {
		return [][]T{parts}
	}
	var all [][]T
	for i, first := range parts {
		for _, rest := range orders(slices.Concat(parts[:i], parts[i+1:])) {
			all = append(all, append([]T{first}, rest...))
		}
	}
	return all
}
