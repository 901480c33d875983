package schemes

import (
	"encoding/binary"
	"math/bits"
)

// scanner walks over JSON text (RFC 8259) without decoding it. Its methods
// stop behind what they read and report whether it was well-formed. Like
// encoding/json it leaves the bytes inside of strings alone, valid UTF-8 or
// not.
type scanner struct {
	b []byte
	i int
}

// maxDepth bounds nesting as encoding/json does.
const maxDepth = 10000

// space skips white space and gives the byte behind it; 0 is the end.
func (s *scanner) space() byte {
	for s.i < len(s.b) {
		switch ch := s.b[s.i]; ch {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return ch
		}
	}
	return 0
}

// colon reads the sign between a key and its value.
func (s *scanner) colon() bool {
	if s.space() != ':' {
		return false
	}
	s.i++
	return true
}

// key reads a key and its colon.
func (s *scanner) key() bool {
	return s.space() == '"' && s.str() && s.colon()
}

// value reads a whole value inside of so many open objects. It keeps the open objects and arrays as bits
// rather than on the call stack, so that no body can exhaust that.
func (s *scanner) value(outside int) bool {
	var isObject [maxDepth/64 + 1]uint64
	depth := outside
	for {
		opened, ok := s.open()
		if !ok {
			return false
		}
		if opened != 0 {
			if depth++; depth > maxDepth {
				return false
			}
			object := opened == '{'
			setBit(&isObject, depth, object)
			if s.space() != closing(object) {
				if object && !s.key() {
					return false
				}
				continue
			}
		}
		for {
			if depth == outside {
				return true
			}
			object := isObject[depth/64]&(1<<(depth%64)) != 0
			switch s.space() {
			case closing(object):
				s.i++
				depth--
				continue
			case ',':
				s.i++
			default:
				return false
			}
			if object && !s.key() {
				return false
			}
			break
		}
	}
}

// open reads a scalar, or the bracket that opens an object or an array, which
// it returns.
func (s *scanner) open() (bracket byte, ok bool) {
	switch ch := s.space(); ch {
	case '{', '[':
		s.i++
		return ch, true
	case '"':
		return 0, s.str()
	case 't':
		return 0, s.word("true")
	case 'f':
		return 0, s.word("false")
	case 'n':
		return 0, s.word("null")
	default:
		return 0, s.number()
	}
}

func setBit(bits *[maxDepth/64 + 1]uint64, at int, on bool) {
	bits[at/64] &^= 1 << (at % 64)
	if on {
		bits[at/64] |= 1 << (at % 64)
	}
}

func closing(object bool) byte {
	if object {
		return '}'
	}
	return ']'
}

func (s *scanner) word(w string) bool {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return false
	}
	s.i += len(w)
	return true
}

// plain counts the bytes at the beginning of b that are nothing but text in a
// string: no quote, no backslash, no control character. It looks at eight bytes
// at a time, because most of a large body is text.
func plain(b []byte) int {
	const (
		each      = 0x0101010101010101
		high      = 0x80 * each
		quote     = '"' * each
		backslash = '\\' * each
		blank     = ' ' * each
	)
	n := 0
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		// Each term has the high bit of a byte set where that byte ends the
		// text; above the lowest such byte a borrow may have set more.
		ends := ((x - blank) | ((x ^ quote) - each) | ((x ^ backslash) - each)) & high
		if ends &^= x; ends != 0 {
			return n + bits.TrailingZeros64(ends)/8
		}
		n += 8
	}
	return n
}

// str reads a string, from quote to quote.
func (s *scanner) str() bool {
	for s.i++; s.i < len(s.b); s.i++ {
		if s.i += plain(s.b[s.i:]); s.i == len(s.b) {
			return false
		}
		switch ch := s.b[s.i]; {
		case ch == '"':
			s.i++
			return true
		case ch < ' ':
			return false
		case ch == '\\':
			if s.i++; !s.escape() {
				return false
			}
		}
	}
	return false
}

// escape stands on the byte behind a backslash and stops on the last byte of
// the escape.
func (s *scanner) escape() bool {
	if s.i >= len(s.b) {
		return false
	}
	switch s.b[s.i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			if s.i++; s.i >= len(s.b) || !isHex(s.b[s.i]) {
				return false
			}
		}
		return true
	}
	return false
}

func isHex(ch byte) bool {
	return isDigit(ch) || 'a' <= ch && ch <= 'f' || 'A' <= ch && ch <= 'F'
}

func isDigit(ch byte) bool { return '0' <= ch && ch <= '9' }

func (s *scanner) number() bool {
	s.accept('-')
	// Nothing but one zero may begin with a zero: whoever reads on refuses the
	// digit behind it.
	if !s.accept('0') && !s.digits() {
		return false
	}
	if s.accept('.') && !s.digits() {
		return false
	}
	if s.accept('e') || s.accept('E') {
		if !s.accept('+') {
			s.accept('-')
		}
		return s.digits()
	}
	return true
}

// accept steps over a byte if it is there.
func (s *scanner) accept(ch byte) bool {
	if s.i < len(s.b) && s.b[s.i] == ch {
		s.i++
		return true
	}
	return false
}

// digits reads one or more digits.
func (s *scanner) digits() bool {
	start := s.i
	for s.i < len(s.b) && isDigit(s.b[s.i]) {
		s.i++
	}
	return s.i > start
}
