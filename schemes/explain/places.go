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
	for _, name := range append([]string{d.Scheme.SignatureHeader}, names...) {
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

// idText is what can be an id.
var idText = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

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

// encodingOf tells how a definition calls the encoding of a signature, and its
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
