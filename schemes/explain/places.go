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

// maxPlaces bounds the forms of the signature, and the places of time and id,
// that are derived from the headers of one delivery.
const maxPlaces = 12

// signatureForm is a possible form of a signature in a header, with the size of
// the signature in bytes. The size is 0 if it is not known.
type signatureForm struct {
	schemes.SignatureForm
	size int
}

// forms returns the possible forms for the delivery: the definition's own
// first, then those of the signature header, then those of other headers.
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

// front matches a prefix of a single signature.
var front = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}(?:=|:| )`)

// single returns the forms of a header that is a single signature.
func single(name, value string) (all []signatureForm) {
	for _, prefix := range slices.Compact([]string{"", front.FindString(value)}) {
		if encoding, size := encodingOf(value[len(prefix):]); size > 0 {
			all = append(all, signatureForm{schemes.SignatureForm{Header: name, Encoding: encoding, Prefix: prefix}, size})
		}
	}
	return all
}

// versionText matches a version that some providers sign before all other text
// and write before the signature.
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

// times returns the places where the delivery can have its signed time, the
// definition's first.
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

// unitOf returns the unit in which a text is a time, as a definition names it.
// It is empty for seconds, which are the default.
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

// idText matches a text that can be an id.
var idText = regexp.MustCompile(`^[!-~]{1,256}$`)

// ids returns the places where the delivery can have a signed id, the
// definition's first.
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

// usualHeaders have values that look like ids but are not.
var usualHeaders = []string{"Accept-Encoding", "Connection", "Content-Length", "Host", "Traceparent", "User-Agent"}

// encodingOf returns the encoding of a signature as a definition names it, and
// its size in bytes. The encoding is empty for hex, which is the default. The
// size is 0 if the text is not a signature.
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

// isSignatureSize reports whether HMACs or Ed25519 have signatures of this
// size, or ECDSA, whose size varies.
func isSignatureSize(size int) bool {
	return slices.Contains([]int{20, 32, 48, 64}, size) || size >= 66 && size <= 72
}

// headerValue is a value in the delivery's headers and its place.
type headerValue struct {
	place schemes.Place
	value string
}

// places yields all headers, and the entries of headers that are lists.
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

// list is a header parsed as named entries.
type list struct {
	separator, assign string // assign is empty for =
	entries           []namedEntry
}

type namedEntry struct{ name, value string }

var entryName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,16}$`)

// lists returns the ways to parse a header as a list.
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

// onlyBody is the default signed text of a definition.
const onlyBody = "{body}"

const (
	timestampVar = "{timestamp}"
	idVar        = "{id}"
)

var variable = regexp.MustCompile(`\{[^{}]+\}`)

// separators are texts that providers put between the parts that they sign.
var separators = []string{".", "", ":", "|", "\n", ",", "-", "_", ";", " ", "|>"}

// maxVariables bounds the orders that are tried.
const maxVariables = 4

// templates returns the signed texts to try, the definition's first: the same
// parts with and without time and id, in all orders, with all separators, and
// with a version such as v0 before them. For a large body it returns only the
// definition's own.
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

// unique removes repeated texts.
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

// orders returns all orders of the parts, the given one first.
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
