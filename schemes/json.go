package schemes

import (
	"bytes"
	"encoding/json"
	"time"
	"unicode/utf8"
)

// maxMembers is how many members of a body a scheme may ask for.
const maxMembers = 4

// maxTextLen bounds, in bytes, the text of a value in a body. It leaves room
// for 256 bytes that are all written as escapes, which is more than anything
// that is passed on may have.
const maxTextLen = 6*256 + 2

// value is a member of a JSON object as it stands in the body. The zero value
// is a member that is not there, or is there twice: parsers differ in which
// one of two they take, so neither is believed.
type value struct {
	raw []byte
}

// members finds members of the JSON object that the body is, by name, and
// says whether the body is a JSON object at all. The whole body is checked
// in one pass and without memory, whatever its size: a body that only begins
// like JSON yields nothing.
func members(body []byte, names []string) (found [maxMembers]value, ok bool) {
	var seen [maxMembers]bool
	s := scanner{b: body}
	if s.space() != '{' {
		return found, false
	}
	s.i++
	for first := true; ; first = false {
		next := s.space()
		if next == '}' && first {
			break
		}
		start := s.i
		if next != '"' || !s.str() {
			return [maxMembers]value{}, false
		}
		key := s.b[start:s.i]
		if !s.colon() {
			return [maxMembers]value{}, false
		}
		s.space()
		start = s.i
		if !s.value() {
			return [maxMembers]value{}, false
		}
		if at := indexName(names, key); at >= 0 {
			found[at] = value{}
			if !seen[at] {
				found[at].raw = s.b[start:s.i]
			}
			seen[at] = true
		}
		next = s.space()
		if next == '}' {
			break
		}
		if next != ',' {
			return [maxMembers]value{}, false
		}
		s.i++
	}
	s.i++
	s.space()
	if s.i != len(s.b) {
		return [maxMembers]value{}, false
	}
	return found, true
}

// indexName finds a quoted key among the names. A key may be written with
// escapes and is still the same name to whoever parses it.
func indexName(names []string, quoted []byte) int {
	plain := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(plain, '\\') >= 0 {
		plain = []byte(value{quoted}.text())
	}
	for i, name := range names {
		if string(plain) == name {
			return i
		}
	}
	return -1
}

// text gives the value of a string, or nothing if it is not one, is longer
// than anything that is passed on, or is not UTF-8.
func (v value) text() string {
	raw := v.raw
	if len(raw) < 2 || raw[0] != '"' || len(raw) > maxTextLen || !utf8.Valid(raw) {
		return ""
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// digits gives a number or a string that is nothing but digits.
func (v value) digits() string {
	raw := string(v.raw)
	if len(raw) > 2 && raw[0] == '"' {
		raw = raw[1 : len(raw)-1]
	}
	if _, ok := number(raw, len(raw)); !ok {
		return ""
	}
	return raw
}

// unixSeconds gives a Unix time in seconds, or the zero time.
func (v value) unixSeconds() time.Time {
	n, ok := number(v.digits(), maxSecondsDigits)
	if !ok {
		return time.Time{}
	}
	return time.Unix(n, 0)
}
