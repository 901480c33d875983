package explain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hooklatch/hooklatch/schemes"
)

// sign is what can be seen of a change that cannot be undone.
type sign struct {
	seen     func(d *Delivery) (words string, ok bool)
	what, do string
}

// signTable has the signs in the order in which they are told.
var signTable = []sign{
	{
		seen: otherLength,
		what: "the body is not as long as it was sent: {}",
		do:   "keep the body whole, and byte for byte",
	},
	{
		seen: wasCompressed,
		what: "the body was sent compressed with {}, and was decompressed here; if the sender signed what it compressed, that cannot be made again",
		do:   "keep, and pass on, the body as it was sent, with its Content-Encoding",
	},
	{
		seen: func(d *Delivery) (string, bool) { return "", bytes.HasPrefix(d.Body, []byte(magics["zstd"])) },
		what: "the body is compressed with zstd, which is not undone here",
		do:   "decompress it with `zstd -d` and verify that: some senders sign before they compress",
	},
	{
		seen: hasSortedFields,
		what: "the fields of the form are in alphabetical order; if something sorted them, the order that was signed cannot be made again",
		do:   "keep the bytes of the request, before anything parses the form",
	},
	{
		seen: func(d *Delivery) (string, bool) { return "", isBroken(d.Body) },
		what: "the body is JSON that was cut off",
		do:   "keep the body whole: some logs and databases shorten long texts",
	},
	{
		seen: isPrinted,
		what: "the body is {}, and no longer what was sent",
		do:   "keep the bytes of the request, before anything parses them",
	},
	{
		seen: func(d *Delivery) (string, bool) { return "", bytes.Contains(d.Body, []byte("\ufffd")) },
		what: "the body has U+FFFD, which decoders write for bytes that they cannot read",
		do:   "keep the body as bytes, and not as text: what stood there is lost",
	},
	{
		seen: func(d *Delivery) (string, bool) { return "", hasLostLetters(d.Body) },
		what: "? stands in the body where letters may have stood that another character set does not have",
		do:   "keep the body as bytes, and not as text: what stood there is lost",
	},
	{
		seen: func(d *Delivery) (string, bool) { return "", roundedNumber.Match(d.Body) },
		what: "the body has a number that may have been rounded when its JSON was written anew",
		do:   "keep the bytes of the request, before anything parses them: JavaScript keeps 15 to 17 digits",
	},
}

// signs are those of the delivery.
func (d *Delivery) signs() (found []Finding) {
	if len(d.Body) > maxChanged {
		return nil
	}
	for _, s := range signTable {
		if words, ok := s.seen(d); ok {
			found = append(found, Finding{strings.ReplaceAll(s.what, "{}", words), s.do})
		}
	}
	return found
}

func otherLength(d *Delivery) (string, bool) {
	sent := d.Request.Header.Get("Content-Length")
	n, err := strconv.ParseUint(sent, 10, 63)
	return fmt.Sprintf("Content-Length is %d, and it has %d bytes", n, len(d.Body)), err == nil && n != uint64(len(d.Body))
}

// magics are what compressed bodies begin with, by the name of the coding; what
// Brotli and raw deflate begin with is not fixed, and is never the { of JSON.
var magics = map[string]string{"gzip": "\x1f\x8b", "x-gzip": "\x1f\x8b", "zstd": "\x28\xb5\x2f\xfd", "br": "", "deflate": ""}

func wasCompressed(d *Delivery) (string, bool) {
	coding := strings.ToLower(strings.TrimSpace(d.Request.Header.Get("Content-Encoding")))
	magic, known := magics[coding]
	if !known || len(d.Body) == 0 {
		return "", false
	}
	if magic == "" {
		return coding, utf8.Valid(d.Body)
	}
	return coding, !bytes.HasPrefix(d.Body, []byte(magic))
}

// hasSortedFields looks at forms that are too large for all orders to be tried.
func hasSortedFields(d *Delivery) (string, bool) {
	all := fields(d.Body)
	return "", len(all) > maxOrdered && slices.IsSortedFunc(all, func(a, b field) int { return strings.Compare(a.name, b.name) })
}

// moreBytes is the end of a Buffer that is printed in part.
var moreBytes = regexp.MustCompile(`\.\.\. \d+ more bytes>?$`)

// isBroken reports whether a body begins as JSON and ends too early.
func isBroken(body []byte) bool {
	text := bytes.TrimSpace(body)
	if len(text) == 0 || text[0] != '{' && text[0] != '[' {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	for {
		if _, err := dec.Token(); err != nil {
			return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) && !json.Valid(text)
		}
	}
}

func isPrinted(d *Delivery) (string, bool) {
	text := bytes.TrimSpace(d.Body)
	switch {
	case bytes.HasPrefix(text, []byte("[object ")):
		return "what JavaScript writes for an object that is no text", true
	case moreBytes.Match(text):
		return "the beginning of a Buffer as Node prints it", true
	case bytes.HasPrefix(text, []byte("{'")), bytes.HasPrefix(text, []byte("[{'")):
		return "an object as Python or Node prints it", true
	case bytes.HasPrefix(text, []byte("map[")):
		return "a map as Go prints it", true
	case bytes.HasPrefix(text, []byte("Array\n(")):
		return "an array as PHP prints it", true
	}
	return "", false
}

// question is what may have been a letter: a ? at the beginning of a word, or
// within one. A URL's query has one there too.
var (
	question = regexp.MustCompile(`(^|[\s"'>(])\?+|[A-Za-z]\?+[a-z]`)
	aURL     = regexp.MustCompile(`\w+:\\?/\\?/[^\s"'<>]*`)
)

// hasLostLetters reports whether ? stands where letters may have stood. A body
// that has other letters than those of ASCII has not lost its own.
func hasLostLetters(body []byte) bool {
	if hasLetters(body) {
		return false
	}
	return question.Match(aURL.ReplaceAll(body, nil))
}

// roundedNumber is a number as JavaScript writes large ones.
var roundedNumber = regexp.MustCompile(`[:\[,]\s*-?(\d\.\d{14,}e\+\d+|\d{16,17}00+)\s*[,\]}]`)

// tried says what of the table was tried in vain, by the parts of a delivery.
func (s *search) tried(reason schemes.Reason) string {
	rows := slices.SortedStableFunc(slices.Values(s.rows), func(a, b row) int { return int(a.part - b.part) })
	var all []string
	for _, r := range rows {
		mismatch := reason == schemes.SignatureMismatch || r.part == inScheme
		switch {
		case r.part == inDefinition:
			all = append(all, s.triedForDefinition()...)
		case r.tried == "", !mismatch,
			r.part == inBody && len(s.Body) > r.largest(),
			r.part == inSecret && len(s.keys(fromAll)) == 0,
			r.part == inURL && !s.Scheme.SignsRequest():
		default:
			all = append(all, r.tried)
		}
	}
	return strings.Join(all, "; ")
}

func (d *Delivery) triedForDefinition() []string {
	if d.Definition == nil {
		return nil
	}
	all := []string{"the secret as a key of every form and algorithm", "signature, time and id wherever the headers can have them"}
	if len(d.Body) <= maxPaired {
		all = append(all, "the parts of signed in other orders and with other separators, as far as a definition may have them")
	}
	return all
}

// next says what to look at where nothing explains a delivery.
func (d *Delivery) next(reason schemes.Reason) string {
	if reason != schemes.SignatureMismatch {
		return d.lookAtHeaders()
	}
	do := "look whether the secret is the one of this webhook in this environment, and compare the signed bytes with the provider's own record of the delivery"
	if len(d.Body) == 0 {
		do = "the body that was kept is empty: keep it as it was sent; if it is meant to be, " + do
	}
	return do
}

// lookAtHeaders names those that can be a signature.
func (d *Delivery) lookAtHeaders() string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(d.Request.Header)) {
		for _, text := range signatureText.FindAllString(d.Request.Header.Get(name), maxEntries) {
			if _, size := encodingOf(text); size > 0 && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if names == nil {
		return "none of the headers looks like a signature: keep all headers of a delivery, in full length"
	}
	return "these headers look like a signature: " + strings.Join(names, ", ") + "; compare with the provider's documentation what stands in them, and look whether the secret is the one of this webhook"
}
