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

// sign is a visible trace of a change that cannot be undone.
type sign struct {
	seen     func(d *Delivery) (words string, ok bool)
	what, do string
}

// signTable lists the signs in the order in which they are reported.
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

// signs returns the signs found in the delivery.
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

// magics are the first bytes of compressed bodies, by the name of the coding.
// Those of Brotli and raw deflate are not fixed, but never the { of JSON.
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

// hasSortedFields reports whether a form that is too large for trying all
// orders has sorted fields.
func hasSortedFields(d *Delivery) (string, bool) {
	all := fields(d.Body)
	return "", len(all) > maxOrdered && slices.IsSortedFunc(all, func(a, b field) int { return strings.Compare(a.name, b.name) })
}

// moreBytes matches the end of a partly printed Buffer.
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

// question matches a ? that may have replaced a letter: at the beginning of a
// word, or within one. A URL with a query has such a ? too.
var (
	question = regexp.MustCompile(`(^|[\s"'>(])\?+|[A-Za-z]\?+[a-z]`)
	aURL     = regexp.MustCompile(`\w+:\\?/\\?/[^\s"'<>]*`)
)

// hasLostLetters reports whether a ? may have replaced letters. A body with
// letters outside of ASCII has not lost any.
func hasLostLetters(body []byte) bool {
	if hasLetters(body) {
		return false
	}
	return question.Match(aURL.ReplaceAll(body, nil))
}

// roundedNumber matches a large number as JavaScript rounds and writes it.
var roundedNumber = regexp.MustCompile(`[:\[,]\s*-?(\d\.\d{14,}e\+\d+|\d{16,17}00+)\s*[,\]}]`)

// tried lists the rows that were tried without success, by the parts of a
// delivery.
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

// next says what to check if nothing explains a delivery.
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

// lookAtHeaders names the headers that can contain a signature.
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
