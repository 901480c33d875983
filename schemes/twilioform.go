package schemes

import (
	"bytes"
	"slices"
)

// maxFormFields is several times what Twilio's largest forms have.
const maxFormFields = 256

// formField is a field of a form that has been decoded into a piece of memory.
type formField struct{ name, value, end int } // where they begin, and the value's end

// appendForm appends the fields of a form as Twilio signs them: each name with
// its value. It reports whether the body is a form.
func appendForm(dst, body []byte) ([]byte, bool) { return appendFields(dst, body, appendJoined) }

func appendJoined(dst, name, value []byte) []byte { return append(append(dst, name...), value...) }

// appendFields appends the fields of a form in the order in which Twilio signs
// them: sorted, and a value once that a name has several times.
func appendFields(dst, body []byte, field func(dst, name, value []byte) []byte) ([]byte, bool) {
	var all [maxFormFields]formField
	fields := all[:0]
	start := len(dst)
	for len(body) > 0 {
		var next []byte
		next, body, _ = bytes.Cut(body, []byte("&"))
		if len(next) == 0 {
			continue
		}
		if len(fields) == maxFormFields {
			return dst, false
		}
		name, value, _ := bytes.Cut(next, []byte("="))
		f := formField{name: len(dst)}
		var nameOK, valueOK bool
		dst, nameOK = appendUnescaped(dst, name)
		f.value = len(dst)
		dst, valueOK = appendUnescaped(dst, value)
		f.end = len(dst)
		if !nameOK || !valueOK {
			return dst, false
		}
		fields = append(fields, f)
	}
	// What is decoded is sorted into the room behind it, and then takes its place.
	decoded := slices.Clip(dst)
	slices.SortFunc(fields, func(a, b formField) int { return a.compare(b, decoded) })
	end := len(dst)
	for i, f := range fields {
		if i == 0 || f.compare(fields[i-1], decoded) != 0 {
			dst = field(dst, decoded[f.name:f.value], decoded[f.value:f.end])
		}
	}
	n := copy(dst[start:], dst[end:])
	return dst[:start+n], true
}

// compare orders fields by name, then by value, byte by byte.
func (f formField) compare(other formField, text []byte) int {
	if by := bytes.Compare(text[f.name:f.value], text[other.name:other.value]); by != 0 {
		return by
	}
	return bytes.Compare(text[f.value:f.end], text[other.value:other.end])
}

// appendUnescaped appends the text that a name or a value of a form stands for.
// It takes no character that encoders of forms escape, such as a brace or a
// quote: what else might be read as JSON is not a form.
func appendUnescaped(dst, text []byte) ([]byte, bool) {
	for i := 0; i < len(text); i++ {
		switch ch := text[i]; {
		case ch == '+':
			dst = append(dst, ' ')
		case ch == '%':
			if i+2 >= len(text) {
				return dst, false
			}
			high, highOK := hexDigit(text[i+1])
			low, lowOK := hexDigit(text[i+2])
			if !highOK || !lowOK {
				return dst, false
			}
			dst = append(dst, high<<4|low)
			i += 2
		case isFormByte(ch):
			dst = append(dst, ch)
		default:
			return dst, false
		}
	}
	return dst, true
}

// isFormByte knows what encoders of forms leave as it is: those of browsers and
// Java, and JavaScript's encodeURIComponent. A further = is in a value.
func isFormByte(ch byte) bool {
	if isLetter(ch) || isDigit(ch) {
		return true
	}
	switch ch {
	case '-', '.', '_', '~', '*', '!', '\'', '(', ')', '=':
		return true
	}
	return false
}

func hexDigit(ch byte) (byte, bool) {
	switch {
	case isDigit(ch):
		return ch - '0', true
	case 'a' <= ch|0x20 && ch|0x20 <= 'f':
		return ch | 0x20 - 'a' + 10, true
	}
	return 0, false
}
