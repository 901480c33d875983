package engine

import "time"

// grammar is what a variable of a template may hold. What it may not hold
// tells where it ends.
type grammar struct {
	holds func(ch byte) bool
	// delimited grammars tell by themselves where a value ends and begins:
	// none of their values is the beginning or the end of a longer one.
	delimited bool
}

// The grammars of the variables. A body holds anything.
var (
	digitsGrammar = grammar{holds: isDigit}
	fixedGrammar  = grammar{holds: isDigit, delimited: true} // a fixed number of digits
	// The values have a date of ten characters in front of the only T, and
	// end with the only Z or with an offset of six characters behind digits.
	rfc3339Grammar = grammar{holds: func(ch byte) bool {
		return isDigit(ch) || ch == 'T' || ch == 'Z' || ch == ':' || ch == '.' || ch == '-' || ch == '+'
	}, delimited: true}
	idGrammar     = grammar{holds: isVisible}
	methodGrammar = grammar{holds: func(ch byte) bool { return 'A' <= ch && ch <= 'Z' }}
	urlGrammar    = grammar{holds: isPassedOn}
	headerGrammar = grammar{holds: func(ch byte) bool { return ch >= ' ' && ch != 0x7F || ch == '\t' }}
	bodyGrammar   = grammar{holds: func(byte) bool { return true }}
)

func isDigit(ch byte) bool { return '0' <= ch && ch <= '9' }

func isLetter(ch byte) bool { return 'a' <= ch|0x20 && ch|0x20 <= 'z' }

func isIDByte(ch byte) bool { return isLetter(ch) || isDigit(ch) || ch == '_' || ch == '-' }

// isURLByte knows the characters of a URL (RFC 3986, 2), of which none is a
// brace.
func isURLByte(ch byte) bool {
	if isLetter(ch) || isDigit(ch) {
		return true
	}
	switch ch {
	case '-', '.', '_', '~', ':', '/', '?', '#', '[', ']', '@', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', '%':
		return true
	}
	return false
}

// isAll tells whether a value is not empty and has only bytes of a grammar.
func isAll[T string | []byte](g grammar, s T) bool {
	for i := range len(s) {
		if !g.holds(s[i]) {
			return false
		}
	}
	return len(s) > 0
}

// isVisible knows the visible characters of ASCII.
func isVisible(ch byte) bool { return ch > ' ' && ch < 0x7F }

// isPassedOn knows the bytes of a URL that a server passes on. Senders write
// more than RFC 3986 has, and sign what they write.
func isPassedOn(ch byte) bool { return ch >= ' ' && ch != 0x7F }

const (
	maxIDLen     = 256
	maxMethodLen = 32
)

func isID(g grammar, s string) bool { return len(s) <= maxIDLen && isAll(g, s) }

// signedTime reads the send time of a header. Fixed times have the full number of
// digits, and a zone, because nothing else shows where they end.
func signedTime(text, unit string, fixed bool) (time.Time, bool) {
	switch unit {
	case unitMillis:
		n, ok := Number(text, MaxMillisDigits)
		return time.UnixMilli(n), ok && len(text) == MaxMillisDigits
	case unitRFC3339:
		if at, ok := strictRFC3339(text); ok {
			return at, true
		}
		if fixed {
			return time.Time{}, false
		}
		return strictRFC3339(text + "Z") // some providers leave out the zone, and mean UTC
	}
	n, ok := Number(text, MaxSecondsDigits)
	return time.Unix(n, 0), ok && (!fixed || len(text) == MaxSecondsDigits)
}

// mayFollowSeconds reports whether a time can go on with a character after its
// seconds or a part of their fraction.
func mayFollowSeconds(ch byte) bool {
	return isDigit(ch) || ch == '.' || ch == 'Z' || ch == '+' || ch == '-'
}

// strictRFC3339 reads a time with no other spelling than the standard's: the
// standard library also takes an hour of one digit and a comma before the
// fraction. Nor does it take a time that has no such spelling in UTC, where its
// year is beyond 9999 or before 0.
func strictRFC3339(text string) (at time.Time, ok bool) {
	const (
		shortest = len("2006-01-02T15:04:05Z")
		longest  = len("2006-01-02T15:04:05.999999999+00:00")
		hourEnd  = len("2006-01-02T15")
	)
	if len(text) < shortest || len(text) > longest || text[hourEnd] != ':' || !isAll(rfc3339Grammar, text) {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339, text)
	year := at.UTC().Year()
	return at, err == nil && 0 <= year && year <= 9999
}
