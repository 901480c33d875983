package engine

import (
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"
)

// maxMembers is how many members of a body a scheme may read, and maxSteps how
// deeply they may be nested.
const (
	maxMembers = 8
	maxSteps   = 8
)

// Path leads to a member: the names of the objects that contain it, and then
// its own.
type Path []string

// Paths parses dotted names.
func Paths(names ...string) []Path {
	all := make([]Path, len(names))
	for i, name := range names {
		all[i] = strings.Split(name, ".")
	}
	return all
}

// maxTextLen bounds, in bytes, the text of a value in a body. It leaves room
// for 256 bytes that are all written as escapes, which is more than any value
// that is passed on.
const maxTextLen = 6*256 + 2

// Value is a member of a JSON object as it is written in the body. It is valid
// as long as the body is. The zero value is a member that is absent or
// repeated: parsers differ in which of two they use, so neither is trusted.
type Value struct {
	Raw string // as it is written; empty if the member is absent or repeated
}

// readWhole is the size, in bytes, up to which a body is validated as JSON and
// read to its end. A larger body is read only to the last wanted member, and
// only the wanted members are validated: both would cost more than hashing the
// body.
const readWhole = 16 << 10

// Members finds members of the body's JSON object, and reports whether the body
// is an object. It compares names itself: as a gjson path, a name with special
// characters would be a query or a modifier, and gjson would return the first
// of several members with one name.
func Members(body []byte, paths []Path) (found [maxMembers]Value, ok bool) {
	// gjson checks by recursion, so only a small body may be checked.
	if len(body) <= readWhole && !gjson.ValidBytes(body) {
		return found, false
	}
	// This avoids a copy. The body does not change meanwhile.
	object := gjson.Parse(unsafe.String(unsafe.SliceData(body), len(body))) //nolint:gosec // see above
	if !object.IsObject() {
		return found, false
	}
	f := finder{paths: paths, whole: len(body) <= readWhole}
	f.object(object, 0, 1<<len(paths)-1)
	return f.found, true
}

// finder is one search for members.
type finder struct {
	paths []Path
	found [maxMembers]Value
	kept  uint // the paths whose member is found, as bits
	whole bool // the body is read to its end
}

// object searches an object at a depth of steps. The bit set open holds the
// paths that lead through it. It reports whether to go on searching.
func (f *finder) object(object gjson.Result, steps int, open uint) (more bool) {
	var seen uint
	more = true
	object.ForEach(func(name, member gjson.Result) bool {
		var inner uint
		for i, path := range f.paths {
			bit := uint(1) << i
			switch {
			case open&bit == 0 || name.Str != path[steps]:
				continue
			case seen&bit != 0:
				f.found[i], f.kept = Value{}, f.kept&^bit
			case len(path) == steps+1:
				f.found[i], f.kept = Value{member.Raw}, f.kept|bit
			default:
				inner |= bit
			}
			seen |= bit
		}
		if inner != 0 && member.IsObject() && !f.object(member, steps+1, inner) {
			more = false
		}
		more = more && (f.whole || f.kept != 1<<len(f.paths)-1)
		return more
	})
	return more
}

// Text returns the value of a string. It returns nothing for a value that is
// not a string, is longer than maxTextLen, is not UTF-8 or has half of a
// surrogate pair: decoders replace the last two with U+FFFD, so two different
// signed values would look alike.
func (v Value) Text() string {
	raw := v.Raw
	if raw == "" || raw[0] != '"' || len(raw) > maxTextLen || !utf8.ValidString(raw) || !gjson.Valid(raw) {
		return ""
	}
	text := gjson.Parse(raw).Str
	if strings.Count(text, replacement) != strings.Count(raw, replacement) {
		return ""
	}
	return strings.Clone(text)
}

// replacement is the character that decoders write for text that they cannot
// decode.
const replacement = string(utf8.RuneError)

// Digits returns the digits of a number or a string that consists of digits
// only, or nothing.
func (v Value) Digits() string {
	raw := v.Raw
	if len(raw) > 2 && raw[0] == '"' {
		raw = raw[1 : len(raw)-1]
	}
	if _, ok := Number(raw, len(raw)); !ok {
		return ""
	}
	return raw
}

// unixSeconds reads a Unix time in seconds, or returns the zero time.
func (v Value) unixSeconds() time.Time {
	n, ok := Number(v.Digits(), MaxSecondsDigits)
	if !ok {
		return time.Time{}
	}
	return time.Unix(n, 0)
}

// unixMillis reads a Unix time in milliseconds, or returns the zero time.
func (v Value) unixMillis() time.Time {
	n, ok := Number(v.Digits(), MaxMillisDigits)
	if !ok {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// RFC3339 reads a time in RFC 3339, or returns the zero time.
func (v Value) RFC3339() time.Time {
	at, ok := strictRFC3339(v.Text())
	if !ok {
		return time.Time{}
	}
	return at
}
