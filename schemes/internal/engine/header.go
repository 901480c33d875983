package engine

import (
	"net/http"
	"strings"
)

// Single gives the value of a header that must be there exactly once. Which
// one of several was signed, and which one another hop would read, is
// ambiguous. The name is in canonical form.
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

// UnsignedValue gives the value of a header that is not signed.
func UnsignedValue(h http.Header, name string) Unsigned {
	values := h[name]
	return Unsigned{Value: strings.Join(values, ","), Sent: len(values) > 0}
}

// Number reads 1 to max ASCII digits. Fields that are joined into the signed
// text must not be able to hold anything else, or a valid delivery could be
// cut into another one; parsers of the standard library take signs too.
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

// MaxSecondsDigits bounds a Unix time in seconds: until the year 2286, and
// never a number of milliseconds of our days.
const MaxSecondsDigits = 10

// MaxMillisDigits bounds one in milliseconds, until the same year.
const MaxMillisDigits = 13
