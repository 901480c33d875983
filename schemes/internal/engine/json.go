package engine

import (
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"
)

// maxMembers is how many members of a body a scheme may ask for, and maxSteps
// how deep they may be.
const (
	maxMembers = 8
	maxSteps   = 8
)

// Path leads to a member: its name, behind the names of the objects that it is
// in.
type Path []string

// Paths reads dotted names.
func Paths(names ...string) []Path {
	all := make([]Path, len(names))
	for i, name := range names {
		all[i] = strings.Split(name, ".")
	}
	return all
}

// maxTextLen bounds, in bytes, the text of a value in a body. It leaves room
// for 256 bytes that are all written as escapes, which is more than anything
// that is passed on may have.
const maxTextLen = 6*256 + 2

// Value is a member of a JSON object as it stands in the body, and is good as
// long as the body is. The zero value is a member that is absent or repeated:
// parsers differ in which one of two they take, so neither is believed.
type Value struct {
	Raw string // as it is written; empty if the member is absent or repeated
}

// readWhole is the size, in bytes, up to which a body is checked to be JSON and
// read to its end. Of a larger one, nothing after the last wanted member is
// read, and nothing but the wanted members is checked: both would cost more
// than to hash the body.
const readWhole = 16 << 10

// Members finds members of the JSON object that the body is, and reports
// whether it is an object. It compares names rather than hand paths to gjson,
// which would take signs in a name for queries and modifiers, and would return
// the first of several members of one name.
func Members(body []byte, paths []Path) (found [maxMembers]Value, ok bool) {
	// gjson checks by recursion, so only a small body may be checked.
	if len(body) <= readWhole && !gjson.ValidBytes(body) {
		return found, false
	}
	// Without a copy of the body, which nobody changes meanwhile.
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

// object searches an object to which some paths, as bits, lead in so many
// steps. It reports whether there is more to look for.
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

// Text returns the value of a string. It returns nothing for what is no string,
// is longer than anything that is passed on, is not UTF-8, or has half of a
// surrogate pair: every decoder makes U+FFFD of that, so two values that are
// signed would look alike.
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

// replacement is what decoders write for what they cannot decode.
const replacement = string(utf8.RuneError)

// Digits returns a number or a string that is nothing but digits.
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

// unixSeconds gives a Unix time in seconds, or the zero time.
func (v Value) unixSeconds() time.Time {
	n, ok := Number(v.Digits(), MaxSecondsDigits)
	if !ok {
		return time.Time{}
	}
	return time.Unix(n, 0)
}

// unixMillis gives a Unix time in milliseconds, or the zero time.
func (v Value) unixMillis() time.Time {
	n, ok := Number(v.Digits(), MaxMillisDigits)
	if !ok {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// RFC3339 returns a time that is written so, or the zero time.
func (v Value) RFC3339() time.Time {
	at, ok := strictRFC3339(v.Text())
	if !ok {
		return time.Time{}
	}
	return at
}
