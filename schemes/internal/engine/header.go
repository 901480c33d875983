package engine

import (
	"net/http"
	"strings"
)

// Single returns the value of a header that must be present exactly once. With
// several values it would be ambiguous which one was signed and which one the
// next hop reads. The name is in canonical form.
func Single(h http.Header, name string, refuse *Refusals) (string, error) {
	values := h[name]
	switch {
	case len(values) > 1:
		return "", refuse.Repeated
	case len(values) == 0 || values[0] == "":
		return "", refuse.Missing
	}
	return values[0], nil
}

// UnsignedValue returns the value of a header that is not signed.
func UnsignedValue(h http.Header, name string) Unsigned {
	values := h[name]
	return Unsigned{Value: strings.Join(values, ","), Sent: len(values) > 0}
}

// Number reads 1 to max ASCII digits. Numbers that are joined into the signed
// text must not contain anything else, or a valid delivery could be cut into
// another one; the parsers of the standard library accept signs too.
func Number(s string, max int) (int64, bool) {
	if len(s) == 0 || len(s) > max {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// MaxSecondsDigits bounds the digits of a Unix time in seconds. It is enough
// until the year 2286, and too few for a current time in milliseconds.
const MaxSecondsDigits = 10

// MaxMillisDigits bounds the digits of a Unix time in milliseconds, until the
// same year.
const MaxMillisDigits = 13
