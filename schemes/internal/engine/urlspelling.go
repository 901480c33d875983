package engine

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// The spellings of a URL that twilio-node tries, in its order: the URL as it
// was received, as a WHATWG URL parser writes it, and the latter with its query
// decoded and encoded again, each with and without a port. Twilio signs the URL
// that its user wrote, and its services normalize it in different ways.
//
// No other spelling is tried, because each must lead to the same resource. A
// URL is therefore not parsed if a parser would resolve the dots in its path or
// lose a byte.
const (
	spelledAsReceived = iota
	spelledOtherPort
	spelledParsed
	spelledParsedOtherPort
	spelledEncoded
	spelledEncodedOtherPort
	URLSpellings // how many there are
)

// ErrNoCandidate is SignedText's error for a candidate that does not exist or
// equals an earlier one.
var ErrNoCandidate = errors.New("there is no such text")

// KeepURL keeps the URL of a request for other spellings of it.
func (c *SignedHeaders) KeepURL(r *Request) { c.url = spelledURL{r.Scheme, r.Host, r.URI} }

// Spelled returns the received URL, which is in Prefix, or another spelling of
// it. It returns false for a spelling that does not exist or equals an earlier
// one. It needs KeepURL.
func (c *SignedHeaders) Spelled(spelling int) ([]byte, bool) {
	if spelling == spelledAsReceived {
		return c.Prefix, true
	}
	for ; c.spellingsMade < spelling; c.spellingsMade++ {
		text, _ := c.url.appendSpelling(c.spellings[c.spellingsMade][:0], c.spellingsMade+1)
		known := bytes.Equal(text, c.Prefix)
		for _, before := range c.spellings[:c.spellingsMade] {
			known = known || bytes.Equal(text, before)
		}
		if known {
			text = text[:0]
		}
		c.spellings[c.spellingsMade] = text
	}
	text := c.spellings[spelling-1]
	return text, len(text) > 0
}

// spelledURL is the URL that a scheme starts from, in parts.
type spelledURL struct {
	scheme, host, uri string
}

func (u spelledURL) text() []byte {
	return append(append(append([]byte(u.scheme), "://"...), u.host...), u.uri...)
}

// withoutPath returns the URL without its path. It returns false if the path is
// more than a slash.
func (u spelledURL) withoutPath() ([]byte, bool) {
	if u.uri != "/" && !strings.HasPrefix(u.uri, "/?") {
		return nil, false
	}
	return spelledURL{u.scheme, u.host, u.uri[1:]}.text(), true
}

// appendSpelling appends one spelling. It returns false if that spelling does
// not exist.
func (u spelledURL) appendSpelling(dst []byte, spelling int) ([]byte, bool) {
	host, port := cutPort(u.host)
	path, query, asked := strings.Cut(u.uri, "?")
	switch {
	case spelling >= spelledParsed && !u.canBeParsed(), spelling >= spelledEncoded && query == "":
		return dst, false
	case spelling >= spelledParsed && port == standardPort(u.scheme):
		port = ""
	}
	switch {
	case spelling%2 == 0:
	case port != "":
		port = ""
	default:
		port = standardPort(u.scheme)
	}
	start := len(dst)
	dst = append(append(dst, u.scheme...), "://"...)
	if spelling < spelledParsed {
		return append(append(append(dst, host...), port...), u.uri...), true
	}
	for i := range len(host) {
		ch := host[i]
		if 'A' <= ch && ch <= 'Z' {
			ch |= 0x20
		}
		dst = append(dst, ch)
	}
	dst = appendParsed(append(dst, port...), path, "\"<>^`{} ")
	if !asked {
		return dst, true
	}
	dst = append(dst, '?')
	if spelling < spelledEncoded {
		return appendParsed(dst, query, "\"'<> "), true
	}
	dst, ok := appendQueryEncoded(dst, query)
	if !ok {
		dst = dst[:start]
	}
	return dst, ok
}

// cutPort splits a host before the colon of its port.
func cutPort(host string) (bare, port string) {
	if at := strings.LastIndexByte(host, ':'); at > strings.LastIndexByte(host, ']') {
		return host[:at], host[at:]
	}
	return host, ""
}

func standardPort(scheme string) string {
	if scheme == "https" {
		return ":443"
	}
	return ":80"
}

// canBeParsed reports whether a parser only escapes single bytes of the URL. It
// must not resolve dots in the path, because the application would then get
// another path. It must not end the URL at a fragment or read the host in
// another notation.
func (u spelledURL) canBeParsed() bool {
	path, _, _ := strings.Cut(u.uri, "?")
	if strings.ContainsAny(u.uri, "#") || strings.Contains(path, `\`) || !utf8.ValidString(u.uri) {
		return false
	}
	for step := range strings.SplitSeq(path, "/") {
		switch strings.ReplaceAll(strings.ToLower(step), "%2e", ".") {
		case ".", "..":
			return false
		}
	}
	for i := range len(u.host) {
		if ch := u.host[i]; !isLetter(ch) && !isDigit(ch) && strings.IndexByte("-._:[]", ch) < 0 {
			return false
		}
	}
	return true
}

const upperHex = "0123456789ABCDEF"

func appendEscaped(dst []byte, ch byte) []byte {
	return append(dst, '%', upperHex[ch>>4], upperHex[ch&15])
}

// appendParsed escapes the bytes that a WHATWG URL parser escapes
// (url.spec.whatwg.org, 1.3): all that are not ASCII, and the characters in
// escape, which are the path percent-encode set or the special-query one.
func appendParsed(dst []byte, text, escape string) []byte {
	for i := range len(text) {
		if ch := text[i]; ch >= 0x7F || strings.IndexByte(escape, ch) >= 0 {
			dst = appendEscaped(dst, ch)
		} else {
			dst = append(dst, ch)
		}
	}
	return dst
}

// queryField is a field of a query that has been decoded into a piece of memory.
type queryField struct{ name, value, end int } // where they begin, and the value's end

// maxQueryParts bounds the parameters of a query that is decoded and encoded
// again. Twilio's library drops all parameters after the thousandth, although
// they are signed.
const maxQueryParts = 256

// appendQueryEncoded decodes a query as a form and encodes each name and each
// value as JavaScript's encodeURIComponent does. Node's parser, which the
// library uses, moves all values of a name to the place of the first.
// appendQueryEncoded reports whether the result is well defined: the decoded
// text must be UTF-8, and no name may be a number, because JavaScript moves
// those to the front.
func appendQueryEncoded(dst []byte, query string) ([]byte, bool) {
	var all [maxQueryParts]queryField
	fields := all[:0]
	start := len(dst)
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		if len(fields) == maxQueryParts {
			return dst, false
		}
		name, value, _ := strings.Cut(part, "=")
		f := queryField{name: len(dst)}
		dst = appendDecoded(dst, name)
		f.value = len(dst)
		dst = appendDecoded(dst, value)
		f.end = len(dst)
		if isNumber(dst[f.name:f.value]) || !utf8.Valid(dst[f.name:f.value]) || !utf8.Valid(dst[f.value:f.end]) {
			return dst, false
		}
		fields = append(fields, f)
	}
	// The fields are encoded into the space after the decoded text, and then
	// moved over it.
	decoded := slices.Clip(dst)
	end := len(dst)
	for i := range fields {
		name := decoded[fields[i].name:fields[i].value]
		same := func(f queryField) bool { return bytes.Equal(decoded[f.name:f.value], name) }
		if slices.ContainsFunc(fields[:i], same) {
			continue
		}
		for _, f := range fields[i:] {
			if !same(f) {
				continue
			}
			if len(dst) > end {
				dst = append(dst, '&')
			}
			dst = appendComponent(append(appendComponent(dst, name), '='), decoded[f.value:f.end])
		}
	}
	n := copy(dst[start:], dst[end:])
	return dst[:start+n], true
}

func isNumber(name []byte) bool {
	for _, ch := range name {
		if !isDigit(ch) {
			return false
		}
	}
	return len(name) > 0
}

// appendDecoded decodes a name or a value of a query. It keeps a percent sign
// that begins no escape.
func appendDecoded(dst []byte, text string) []byte {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '+':
			dst = append(dst, ' ')
			continue
		case text[i] == '%' && i+2 < len(text):
			high, highOK := HexDigit(text[i+1])
			low, lowOK := HexDigit(text[i+2])
			if highOK && lowOK {
				dst = append(dst, high<<4|low)
				i += 2
				continue
			}
		}
		dst = append(dst, text[i])
	}
	return dst
}

// appendComponent is JavaScript's encodeURIComponent.
func appendComponent(dst, text []byte) []byte {
	for _, ch := range text {
		if isLetter(ch) || isDigit(ch) || strings.IndexByte("-_.!~*'()", ch) >= 0 {
			dst = append(dst, ch)
		} else {
			dst = appendEscaped(dst, ch)
		}
	}
	return dst
}

// HexDigit returns the value of a hexadecimal digit in either case, and false for
// any other character.
func HexDigit(ch byte) (byte, bool) {
	switch {
	case '0' <= ch && ch <= '9':
		return ch - '0', true
	case 'a' <= ch|0x20 && ch|0x20 <= 'f':
		return ch | 0x20 - 'a' + 10, true
	}
	return 0, false
}
