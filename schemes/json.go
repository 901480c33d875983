package schemes

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"
)

// maxMembers is how many members of a body a scheme may ask for, and maxSteps
// how deep they may be.
const (
	maxMembers = 8
	maxSteps   = 8
)

// path leads to a member: its name, behind the names of the objects that it is
// in.
type path []string

// paths reads dotted names.
func paths(names ...string) []path {
	all := make([]path, len(names))
	for i, name := range names {
		all[i] = strings.Split(name, ".")
	}
	return all
}

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

// finder is one search for members.
type finder struct {
	scanner
	paths []path
	found [maxMembers]value
	twice uint // the paths of which a step is there twice, as bits
	kept  uint // those that are found
	over  bool // nothing is left to look for
}

// readWhole is the size, in bytes, up to which a body is read to its end. Of a
// larger one, nothing is looked at behind the last member that was to be found:
// its end would cost more than a proxy that does not look at it at all.
const readWhole = 16 << 10

// members finds members of the JSON object that the body is, and says whether
// the body is a JSON object at all. It is checked in one pass and without
// memory: a body that only begins like JSON yields nothing, unless it is larger
// than readWhole and has all the members before it goes wrong.
func members(body []byte, paths []path) (found [maxMembers]value, ok bool) {
	f := finder{scanner: scanner{b: body}, paths: paths}
	if f.space() != '{' || !f.object(0, 1<<len(paths)-1) {
		return found, false
	}
	if f.over {
		return f.found, true
	}
	f.space()
	if f.i != len(f.b) {
		return found, false
	}
	return f.found, true
}

// enough reports whether the rest of the body need not be read.
func (f *finder) enough() bool {
	f.over = len(f.b) > readWhole && f.kept == 1<<len(f.paths)-1
	return f.over
}

// object reads an object that some paths, as bits, lead to in so many steps.
// It calls itself at most maxSteps deep.
func (f *finder) object(steps int, open uint) bool {
	var seen uint
	f.i++
	for first := true; ; first = false {
		next := f.space()
		if next == '}' && first {
			break
		}
		start := f.i
		if next != '"' || !f.str() {
			return false
		}
		name := f.b[start:f.i]
		if !f.colon() {
			return false
		}
		next = f.space()
		start = f.i
		hit := f.named(name, steps, open)
		f.see(hit, &seen)
		inner := f.beyond(hit, steps)
		if inner != 0 && next == '{' {
			if !f.object(steps+1, inner) {
				return false
			}
			if f.over {
				return true
			}
		} else if !f.value(steps + 1) {
			return false
		}
		f.keep(hit&^inner&^f.twice, f.b[start:f.i])
		if f.enough() {
			return true
		}
		next = f.space()
		if next == '}' {
			break
		}
		if next != ',' {
			return false
		}
		f.i++
	}
	f.i++
	return true
}

// named gives the paths that go on with a quoted name. It may be written with
// escapes and is still the same name to whoever parses it.
func (f *finder) named(quoted []byte, step int, open uint) (hit uint) {
	if open == 0 {
		return 0
	}
	plain := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(plain, '\\') >= 0 {
		plain = []byte(value{quoted}.text())
	}
	for i, path := range f.paths {
		if open&(1<<i) != 0 && string(plain) == path[step] {
			hit |= 1 << i
		}
	}
	return hit
}

// see marks a step of paths. One that is there twice makes the paths void.
func (f *finder) see(hit uint, seen *uint) {
	again := hit & *seen
	*seen |= hit
	f.twice |= again
	f.kept &^= again
	for i := range f.paths {
		if again&(1<<i) != 0 {
			f.found[i] = value{}
		}
	}
}

// beyond gives those of the paths that do not end at this step.
func (f *finder) beyond(hit uint, step int) uint {
	for i, path := range f.paths {
		if len(path) == step+1 {
			hit &^= 1 << i
		}
	}
	return hit
}

// keep keeps the value that paths end at.
func (f *finder) keep(hit uint, raw []byte) {
	f.kept |= hit
	for i := range f.paths {
		if hit&(1<<i) != 0 {
			f.found[i] = value{raw}
		}
	}
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

// unixMillis gives a Unix time in milliseconds, or the zero time.
func (v value) unixMillis() time.Time {
	n, ok := number(v.digits(), maxMillisDigits)
	if !ok {
		return time.Time{}
	}
	return time.UnixMilli(n)
}

// rfc3339 gives a time that is written so, or the zero time.
func (v value) rfc3339() time.Time {
	at, err := time.Parse(time.RFC3339, v.text())
	if err != nil {
		return time.Time{}
	}
	return at
}
