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

// replaced returns a copy of the headers with another value for one.
func replaced(h http.Header, name, value string) http.Header {
	changed := maps.Clone(h)
	changed[http.CanonicalHeaderKey(name)] = []string{value}
	return changed
}

// names returns the names of the headers that take part in the signature,
// including all aliases.
func (d *Delivery) names() []string {
	return slices.Concat([]string{d.Scheme.SignatureHeader()}, d.Scheme.SignedHeaders(), d.Scheme.AliasHeaders())
}

// inValues turns a function that changes a header's value into a row's try
// function. It changes all headers of the signature at once.
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

// unescapedValue decodes a value that is a JSON string, with or without its
// quotes.
func unescapedValue(value string) string {
	var plain string
	for _, text := range []string{value, `"` + value + `"`} {
		if json.Unmarshal([]byte(text), &plain) == nil {
			return plain
		}
	}
	return strings.Trim(value, `'"`)
}

// oneOfTheValues keeps one value of a signature header that is repeated or was
// joined by a proxy.
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

// signatureText matches a text that can be a signature in hex or base64,
// possibly truncated.
var signatureText = regexp.MustCompile(`[0-9A-Za-z+/_-]{8,}={0,2}`)

// maxEntries bounds how many such texts are tried, since each is tried in place
// of each other.
const maxEntries = 16

// entry is the position of such a text in the signature header.
type entry struct{ start, end int }

// entries returns the entries of the signature header, with its name and value.
func (d *Delivery) entries() (name, value string, found []entry) {
	// Each set of aliases begins with the signature header.
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

// with returns the request with another text in place of an entry.
func (d *Delivery) with(name, value string, e entry, text string) schemes.Request {
	r := d.Request
	r.Header = replaced(r.Header, name, value[:e.start]+text+value[e.end:])
	return r
}

// hashes are the hash functions of the HMACs.
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

// writing is how a correct signature differs from the form that the scheme
// reads.
type writing int

const (
	cutOff writing = iota
	otherHash
	otherForm
)

// written returns a row's try function that looks for a correct signature that
// is truncated, made with another hash or written in another form. To learn the
// signed text, it replaces the signature with one that the scheme can read.
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

// signedWith returns the signed texts, one for each change that lets the scheme
// read the header.
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
		// A signature of another size belongs to another key of the secret.
		ours := len(opened.SignedHeaders.Signatures[0].Bytes()) == size
		same := func(other []byte) bool { return bytes.Equal(other, signed) }
		if err == nil && ours && !slices.ContainsFunc(all, same) {
			all = append(all, slices.Clone(signed))
		}
		opened.Close()
	}
	return all
}

// resigned returns the request with a newly signed signature header, for
// schemes whose signature header contains nothing else.
func (d *Delivery) resigned(secret string) (schemes.Request, bool) {
	// This time can be written in every unit.
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

// differs reports whether a text is the correct signature in this other
// writing, and describes it.
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

// units are the ways to write a time, with the names that operators use.
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

// timeText matches a time in a header.
var timeText = regexp.MustCompile(`\b(?:\d{10}|\d{13}|\d{16}|\d{19}|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d))\b`)

// maxTimes bounds how many times are tried in one header.
const maxTimes = 4

// readTime parses a text that timeText matches. The number of digits decides
// the unit.
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

// inClaim derives a scheme that replaces a part of the signed text before the
// body.
func inClaim(scheme schemes.Scheme, change func(c *schemes.SignedHeaders) (old, text string)) schemes.Scheme {
	return opening(scheme, func(c *schemes.SignedHeaders) {
		if old, text := change(c); old != "" {
			c.Prefix = bytes.Replace(c.Prefix, []byte(old), []byte(text), 1)
		}
	})
}

// signedTime undoes a time that is signed in a unit other than the header's.
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
// unit. The time may be signed in that unit or in the scheme's.
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

// bodyAlone undoes a signature that covers only the body, and not the time and
// other values that the scheme signs.
func bodyAlone(_ *search, c candidate, yield func(candidate, string) bool) {
	c.scheme = opening(c.scheme, func(c *schemes.SignedHeaders) { c.Prefix, c.Suffix = nil, nil })
	yield(c, "")
}

// versionLabel matches the label of an entry, such as v0, at the end of the
// text before the entry.
var versionLabel = regexp.MustCompile(`(?:^|[^0-9A-Za-z])v(\d+)(?:[=,:]|=sha256[.=])$`)

// version returns the version in the label of an entry, or -1.
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

// olderVersion looks for an entry that matches and that the scheme ignores. The
// meaning of a version is known only for built-in schemes.
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

// previousSecret says so if a delivery is accepted only with the previous
// secret.
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

// blank returns a made-up signature of the same form: an A is valid in both hex
// and base64.
func blank(text string) string {
	bare := strings.TrimRight(text, "=")
	return strings.Repeat("A", len(bare)) + text[len(bare):]
}

// others returns the schemes other than the delivery's.
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

// tokenAlone looks for a delivery that has the provider's token and no
// signature.
func tokenAlone(s *search, c candidate, yield func(candidate, string) bool) {
	token := s.Scheme.TokenHeader()
	c.proven = token != "" && c.request.Header.Get(token) != "" && c.request.Header.Get(s.Scheme.SignatureHeader()) == ""
	if c.proven {
		yield(c, token)
	}
}

// olderHeader looks for the provider's older SHA-1 signature if the one that
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

// headersOfAnother looks for schemes whose signature header is present, if this
// scheme's is absent.
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
