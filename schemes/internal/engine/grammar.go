package engine

import "time"

// grammar is the set of bytes that a variable of a template may contain. A byte
// outside of it marks the variable's end.
type grammar struct {
	holds func(ch byte) bool
	// delimited means that the values show by themselves where they begin and
	// end: none of them is the beginning or the end of a longer one.
	delimited bool
}

// The grammars of the variables. A body holds anything.
var (
	digitsGrammar = grammar{holds: isDigit}
	fixedGrammar  = grammar{holds: isDigit, delimited: true} // a fixed number of digits
	// A value has a date of ten characters before its only T, and ends with its
	// only Z or with digits and an offset of six characters.
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

// isURLByte reports whether a URL may contain a character (RFC 3986, 2). Braces
// are not among them.
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

// isAll reports whether a value is not empty and has only bytes of a grammar.
func isAll[T string | []byte](g grammar, s T) bool {
	for i := range len(s) {
		if !g.holds(s[i]) {
			return false
		}
	}
	return len(s) > 0
}

// isVisible reports whether a character is visible ASCII.
func isVisible(ch byte) bool { return ch > ' ' && ch < 0x7F }

// isPassedOn reports whether a server passes on a byte in a URL. Senders write
// more characters than RFC 3986 allows, and sign them.
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
		return strictRFC3339(text + "Z") // some providers leave out the zone and mean UTC
	}
	n, ok := Number(text, MaxSecondsDigits)
	return time.Unix(n, 0), ok && (!fixed || len(text) == MaxSecondsDigits)
}

// mayFollowSeconds reports whether a time can go on with a character after its
// seconds or a part of their fraction.
func mayFollowSeconds(ch byte) bool {
	return isDigit(ch) || ch == '.' || ch == 'Z' || ch == '+' || ch == '-'
}

// strictRFC3339 reads a time exactly as RFC 3339 writes it: the standard
// library also accepts an hour of one digit and a comma before the fraction. It
// rejects a time whose year in UTC is before 0 or after 9999, because RFC 3339
// cannot write it in UTC.
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
