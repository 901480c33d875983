package engine

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// checkHeaderName rejects a header name that Caddy does not pass to handlers,
// and a text that is not a header name.
func checkHeaderName(name string) error {
	for i := range len(name) {
		if ch := name[i]; ch == '_' || ch == '.' {
			return errors.New("the header has a _ or a dot in its name, and Caddy passes no such header on; write the name as the provider sends it, usually with dashes")
		}
		if !isTokenByte(name[i]) {
			return errors.New("this is not the name of a header; write one such as X-Signature")
		}
	}
	switch canonical := http.CanonicalHeaderKey(name); canonical {
	case "":
		return errors.New("there is no header's name; write one such as X-Signature")
	case "Host":
		return errors.New("the header Host is not among the headers that a handler sees; write {url}, which has the host in it")
	case "Connection", "Content-Length", "Expect", "Http2-Settings", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		return fmt.Errorf("the header %s belongs to the connection and is changed on the way; no signature can depend on it", canonical)
	}
	return nil
}

// isTokenByte reports whether a header name may contain a character (RFC 9110,
// 5.6.2).
func isTokenByte(ch byte) bool {
	return isLetter(ch) || isDigit(ch) || strings.IndexByte("!#$%&'*+-.^_`|~", ch) >= 0
}

// checkPath rejects a path that cannot lead to a member of a body.
func checkPath(path string) error {
	steps := strings.Split(path, ".")
	if slices.Contains(steps, "") {
		return errors.New("this is not the path of a member; write names with single dots in between, such as data.object.id")
	}
	if len(steps) > maxSteps {
		return fmt.Errorf("a path may have %d steps; write a shorter one", maxSteps)
	}
	return nil
}

// oneOf rejects a word that is not among the known ones. The error does not
// repeat it: it may be a secret in the wrong place. The first known word is the
// default.
func oneOf(field, word string, known ...string) (string, error) {
	switch {
	case word == "":
		return known[0], nil
	case !slices.Contains(known, word):
		return "", fmt.Errorf("%s: this is not known here; write one of %s", field, strings.Join(known, ", "))
	}
	return word, nil
}

// isSchemeName reports whether a text can name a scheme. The name is also the
// label of its deliveries, unless the user chooses another.
func isSchemeName(name string) bool {
	for i := range len(name) {
		ch := name[i]
		if (ch < 'a' || ch > 'z') && !isDigit(ch) && ch != '_' && ch != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 64
}
