package explain

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // some providers sign with it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// replaced has another value in one header.
func replaced(h http.Header, name, value string) http.Header {
	changed := maps.Clone(h)
	changed[http.CanonicalHeaderKey(name)] = []string{value}
	return changed
}

// names are those of the headers that take part in the signature, under all
// names that the scheme knows.
func (d *Delivery) names() []string {
	return slices.Concat([]string{d.Scheme.SignatureHeader()}, d.Scheme.SignedHeaders(), d.Scheme.AliasHeaders())
}

// inValues makes a row's function of one that changes a header's value. All
// headers of the signature are changed at once.
func inValues(change func(value string) string) func(*search, candidate, func(candidate, string) bool) {
	return func(s *search, c candidate, yield func(candidate, string) bool) {
		next, changed := c, false
		for _, name := range s.names() {
			value := c.request.Header.Get(name)
			if other := change(value); other != value {
				next.request.Header = replaced(next.request.Header, name, other)
				changed = true
			}
		}
		if changed {
			yield(next, "")
		}
	}
}

func percentDecodedValue(value string) string {
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

func plusesForBlanks(value string) string { return strings.ReplaceAll(value, " ", "+") }

func withoutBlanks(value string) string { return strings.Join(strings.Fields(value), "") }

// unescapedValue reads a value as JSON has it, with its quotes or without them.
func unescapedValue(value string) string {
	var plain string
	for _, text := range []string{value, `"` + value + `"`} {
		if json.Unmarshal([]byte(text), &plain) == nil {
			return plain
		}
	}
	return strings.Trim(value, `'"`)
}

// oneOfTheValues leaves one value of a signature header that is there several
// times or was joined by a proxy.
func oneOfTheValues(s *search, c candidate, yield func(candidate, string) bool) {
	for _, name := range append([]string{s.Scheme.SignatureHeader()}, s.Scheme.AliasHeaders()...) {
		values := c.request.Header[http.CanonicalHeaderKey(name)]
		if len(values) == 1 {
			values = strings.Split(values[0], ",")
		}
		if len(values) < 2 || len(values) > maxEntries {
			continue
		}
		for _, value := range values {
			next := c
			next.request.Header = replaced(c.request.Header, name, strings.TrimSpace(value))
			if !yield(next, "") {
				return
			}
		}
	}
}

// signatureText is a text that can be a signature, in hex or base64, perhaps cut
// off.
var signatureText = regexp.MustCompile(`[0-9A-Za-z+/_-]{8,}={0,2}`)

// maxEntries bounds how many of them are looked at, since two at a time are tried
// in the place of each other.
const maxEntries = 16

// entry is such a text in the signature header.
type entry struct{ start, end int }

// entries are those of the signature header, with the header's name and value.
func (d *Delivery) entries() (name, value string, found []entry) {
	// Each set of other names begins with the signature's.
	for _, name = range append([]string{d.Scheme.SignatureHeader()}, d.Scheme.AliasHeaders()...) {
		if value = d.Request.Header.Get(name); value != "" {
			break
		}
	}
	for _, at := range signatureText.FindAllStringIndex(value, maxEntries) {
		found = append(found, entry{at[0], at[1]})
	}
	return name, value, found
}

// with is the delivery with another text in place of an entry.
func (d *Delivery) with(name, value string, e entry, text string) schemes.Request {
	r := d.Request
	r.Header = replaced(r.Header, name, value[:e.start]+text+value[e.end:])
	return r
}

// hashes are those of the HMACs.
var hashes = []struct {
	algorithm schemes.Algorithm
	hash      func() hash.Hash
}{
	{schemes.HMACSHA256, sha256.New},
	{schemes.HMACSHA1, sha1.New},
	{schemes.HMACSHA384, sha512.New384},
	{schemes.HMACSHA512, sha512.New},
}

// encodings are the ways to write a signature.
var encodings = []struct {
	words string
	write func([]byte) string
}{
	{"hex", hex.EncodeToString},
	{"base64", base64.StdEncoding.EncodeToString},
	{"base64url", base64.RawURLEncoding.EncodeToString},
}

// writing is how a signature that is right differs from what the scheme reads.
type writing int

const (
	cutOff writing = iota
	otherHash
	otherForm
)

// written makes a row's function that looks for a signature that is right but
// cut off, made with another hash or written in another form. To learn what is
// signed, one that the scheme can read is put in its place.
func written(as writing) func(*search, candidate, func(candidate, string) bool) {
	return func(s *search, c candidate, yield func(candidate, string) bool) {
		if len(c.body) > maxCut {
			return
		}
		name, value, sent := s.entries()
		for _, secret := range s.Secrets {
			keys, err := s.Scheme.Keys(secret)
			if err != nil {
				continue
			}
			for _, key := range keys {
				if key.Public != nil {
					continue
				}
				for _, e := range sent {
					for _, signed := range s.signedWith(secret, key, name, value, e) {
						words, ok := differs(key, signed, value[e.start:e.end], as)
						s.spend(len(hashes) * len(signed))
						c.proven = ok
						if ok && !yield(c, words) || s.stopped() {
							return
						}
					}
				}
			}
		}
	}
}

// signedWith returns what is signed, in each way that lets the scheme read the
// header.
func (d *Delivery) signedWith(secret string, key schemes.Key, name, value string, e entry) (all [][]byte) {
	v := d.verifier(d.Scheme)
	if v == nil {
		return nil
	}
	var requests []schemes.Request
	size := 0
	for _, h := range hashes {
		if h.algorithm == key.Algorithm {
			size = h.hash().Size()
			for _, enc := range encodings {
				requests = append(requests, d.with(name, value, e, enc.write(make([]byte, h.hash().Size()))))
			}
		}
	}
	if r, ok := d.resigned(secret); ok {
		requests = append(requests, r)
	}
	for _, r := range requests {
		opened, err := v.Begin(r)
		if err != nil {
			continue
		}
		_, _ = opened.Write(d.Body) // never fails
		signed, err := opened.Signed()
		// A signature of another size is one under another of the secret's keys.
		ours := len(opened.SignedHeaders.Signatures[0].Bytes()) == size
		same := func(other []byte) bool { return bytes.Equal(other, signed) }
		if err == nil && ours && !slices.ContainsFunc(all, same) {
			all = append(all, slices.Clone(signed))
		}
		opened.Close()
	}
	return all
}

// resigned is the delivery with the signature header of another one, for
// schemes that have nothing else in it.
func (d *Delivery) resigned(secret string) (schemes.Request, bool) {
	// The time is one that every unit can write.
	out := schemes.Delivery{Body: d.Body, Request: d.Request, Event: "1", At: time.Unix(1e9, 0)}
	if d.Scheme.SignsID() {
		out.ID = "1"
	}
	h, err := d.Scheme.SignWith(secret, out)
	if err != nil {
		out.Event = ""
		h, err = d.Scheme.SignWith(secret, out)
	}
	if err != nil {
		return schemes.Request{}, false
	}
	r := d.Request
	r.Header = replaced(r.Header, d.Scheme.SignatureHeader(), h.Get(d.Scheme.SignatureHeader()))
	return r, true
}

// differs reports whether a text is the right signature, but written so, and how.
func differs(key schemes.Key, signed []byte, text string, as writing) (words string, ok bool) {
	for _, h := range hashes {
		mac := hmac.New(h.hash, key.Secret)
		mac.Write(signed)
		sum := mac.Sum(nil)
		for _, enc := range encodings {
			right := enc.write(sum)
			given := text
			if enc.words == "hex" {
				given = strings.ToLower(text)
			}
			given, right = strings.TrimRight(given, "="), strings.TrimRight(right, "=")
			if !strings.HasPrefix(right, given) {
				continue
			}
			switch {
			case len(given) < len(right):
				return "", as == cutOff
			case h.algorithm != key.Algorithm:
				return fmt.Sprintf("%s, and this scheme has %s", h.algorithm, key.Algorithm), as == otherHash
			}
			return enc.words, as == otherForm
		}
	}
	return "", false
}

// units are the ways to write a time, by what operators call them.
var units = []struct {
	words string
	write func(at time.Time) string
}{
	{"seconds", func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }},
	{"milliseconds", func(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }},
	{"microseconds", func(at time.Time) string { return strconv.FormatInt(at.UnixMicro(), 10) }},
	{"nanoseconds", func(at time.Time) string { return strconv.FormatInt(at.UnixNano(), 10) }},
	{"RFC 3339", func(at time.Time) string { return at.UTC().Format(time.RFC3339) }},
	{"RFC 3339 with milliseconds", func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z07:00") }},
}

// timeText is a time as it can stand in a header.
var timeText = regexp.MustCompile(`\b(?:\d{10}|\d{13}|\d{16}|\d{19}|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d))\b`)

// maxTimes bounds how many of them are looked at in one header.
const maxTimes = 4

// readTime reads what timeText finds: digits by how many there are.
func readTime(text string) (time.Time, bool) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	switch len(text) {
	case 10:
		return time.Unix(n, 0), true
	case 13:
		return time.UnixMilli(n), true
	case 16:
		return time.UnixMicro(n), true
	}
	return time.Unix(0, n), true
}

// inClaim replaces a text of what is signed before the body.
func inClaim(scheme schemes.Scheme, change func(c *schemes.SignedHeaders) (old, text string)) schemes.Scheme {
	return opening(scheme, func(c *schemes.SignedHeaders) {
		if old, text := change(c); old != "" {
			c.Prefix = bytes.Replace(c.Prefix, []byte(old), []byte(text), 1)
		}
	})
}

// signedTime undoes a time that is signed in another unit than the header has.
func signedTime(_ *search, c candidate, yield func(candidate, string) bool) {
	for _, u := range units {
		next := c
		next.scheme = inClaim(c.scheme, func(c *schemes.SignedHeaders) (old, text string) {
			if at, ok := readTime(c.SentAtText); ok {
				return c.SentAtText, u.write(at)
			}
			return "", ""
		})
		if !yield(next, u.words) {
			return
		}
	}
}

// sentTime undoes a time that the scheme cannot read because it is in another
// unit: signed as it stands there, or as the scheme says.
func sentTime(s *search, c candidate, yield func(candidate, string) bool) {
	for _, name := range s.names() {
		value := c.request.Header.Get(name)
		for _, at := range timeText.FindAllStringIndex(value, maxTimes) {
			sent := value[at[0]:at[1]]
			moment, ok := readTime(sent)
			if !ok {
				continue
			}
			for _, u := range units {
				read := u.write(moment)
				if read == sent {
					continue
				}
				next := c
				next.request.Header = replaced(c.request.Header, name, value[:at[0]]+read+value[at[1]:])
				asSent := inClaim(c.scheme, func(*schemes.SignedHeaders) (old, text string) { return read, sent })
				words := fmt.Sprintf("%s is not in %s, as %s has it", name, u.words, c.scheme.Name())
				for _, next.scheme = range []schemes.Scheme{asSent, c.scheme} {
					if !yield(next, words) {
						return
					}
				}
			}
		}
	}
}

// bodyAlone undoes a signature that does not cover the time and what else the
// scheme signs.
func bodyAlone(_ *search, c candidate, yield func(candidate, string) bool) {
	c.scheme = opening(c.scheme, func(c *schemes.SignedHeaders) { c.Prefix, c.Suffix = nil, nil })
	yield(c, "")
}

// versionLabel is the label of an entry, such as v0, at the end of what stands
// before it.
var versionLabel = regexp.MustCompile(`(?:^|[^0-9A-Za-z])v(\d+)(?:[=,:]|=sha256[.=])$`)

// version reads the label of an entry, or returns -1.
func version(value string, e entry) int {
	found := versionLabel.FindStringSubmatch(value[:e.start])
	if found == nil {
		return -1
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		return -1
	}
	return n
}

// olderVersion looks for an entry that matches and that the scheme passes over.
// What a version means is known of the built-in schemes only.
func olderVersion(s *search, c candidate, yield func(candidate, string) bool) {
	if s.Definition != nil {
		return
	}
	name, value, sent := s.entries()
	for _, from := range sent {
		n := version(value, from)
		for _, to := range sent {
			if from == to || n < 0 {
				continue
			}
			next := c
			next.request = s.with(name, value, to, value[from.start:from.end])
			if !yield(next, strconv.Itoa(n)) {
				return
			}
		}
	}
}

// Accepted says what an operator should change although a delivery is accepted.
func (d *Delivery) Accepted() []Finding { return append(d.previousSecret(), d.notThere()...) }

// previousSecret says that a delivery is accepted by the previous secret alone.
func (d *Delivery) previousSecret() []Finding {
	if d.Definition != nil {
		return nil
	}
	name, value, sent := d.entries()
	newest, matching, only := -1, -1, 0
	v := d.verifier(d.Scheme)
	for _, e := range sent {
		n := version(value, e)
		if n < 0 {
			continue
		}
		newest = max(newest, n)
		if !matches(v, d.with(name, value, e, blank(value[e.start:e.end])), d.Body) {
			matching = n
			only++
		}
	}
	if only != 1 || matching == newest {
		return nil
	}
	return []Finding{{
		fmt.Sprintf("it matches v%d alone, which is made with the previous secret, and not v%d", matching, newest),
		"write the new secret in front of this one before the provider stops signing with this one",
	}}
}

// blank is a signature of the same form that no key makes: an A is both a hex
// digit and one of base64.
func blank(text string) string {
	bare := strings.TrimRight(text, "=")
	return strings.Repeat("A", len(bare)) + text[len(bare):]
}

// others are the schemes but the delivery's.
func (d *Delivery) others() []schemes.Scheme {
	return slices.DeleteFunc(schemes.All(), func(s schemes.Scheme) bool { return s.Name() == d.Scheme.Name() })
}

// otherSchemes looks for the schemes that accept the delivery.
func otherSchemes(s *search, c candidate, yield func(candidate, string) bool) {
	var names []string
	for _, other := range s.others() {
		s.spend(len(c.body))
		if s.stopped() {
			return
		}
		if matches(s.verifier(other), c.request, c.body) {
			names = append(names, other.Name())
		}
	}
	if c.proven = names != nil; c.proven {
		yield(c, strings.Join(names, " or "))
	}
}

// tokenAlone looks for the provider's own token where its signature is missing.
func tokenAlone(s *search, c candidate, yield func(candidate, string) bool) {
	token := s.Scheme.TokenHeader()
	c.proven = token != "" && c.request.Header.Get(token) != "" && c.request.Header.Get(s.Scheme.SignatureHeader()) == ""
	if c.proven {
		yield(c, token)
	}
}

// olderHeader looks for a signature of the provider's with SHA-1 where the one that
// the scheme reads is missing.
func olderHeader(s *search, c candidate, yield func(candidate, string) bool) {
	own := s.Scheme.SignatureHeader()
	vendor := strings.Join(strings.SplitAfter(own, "-")[:min(2, strings.Count(own, "-"))], "") // X-Hub-
	for _, name := range slices.Sorted(maps.Keys(c.request.Header)) {
		for _, text := range signatureText.FindAllString(c.request.Header.Get(name), maxEntries) {
			_, size := encodingOf(text)
			c.proven = size == sha1.Size && vendor != "" && vendor != "X-" && strings.HasPrefix(name, vendor) && strings.Contains(name, "Signature") &&
				name != own && c.request.Header.Get(own) == ""
			if c.proven && !yield(c, name) {
				return
			}
		}
	}
}

// headersOfAnother looks for the schemes whose signature header is there while
// this scheme's is not there.
func headersOfAnother(s *search, c candidate, yield func(candidate, string) bool) {
	sent := func(scheme schemes.Scheme) bool {
		return slices.ContainsFunc(append([]string{scheme.SignatureHeader()}, scheme.AliasHeaders()...), func(name string) bool {
			return c.request.Header.Get(name) != ""
		})
	}
	var names []string
	for _, other := range s.others() {
		if sent(other) {
			names = append(names, other.Name())
		}
	}
	if c.proven = names != nil && !sent(s.Scheme); c.proven {
		yield(c, strings.Join(names, " or "))
	}
}
