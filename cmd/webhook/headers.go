package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// parseHeaders reads header lines as `curl -D` writes them or as they stand in
// a request: perhaps a request line first, lines that end in CRLF or LF, an
// empty line at the end. Line by line rather than with textproto, to name the
// line that is wrong without repeating it.
func parseHeaders(text []byte) (http.Header, error) {
	h := http.Header{}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSuffix(line, []byte("\n"))
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		if n == 1 && isStartLine(string(line)) {
			continue
		}
		name, value, err := parseHeader(string(line))
		if err != nil {
			return nil, fmt.Errorf("line %d of the headers %w", n, err)
		}
		h.Add(name, value)
	}
	return h, nil
}

// isStartLine tells a request line, or the status line of an answer, from a
// header: no header's name has a slash or a blank in it.
func isStartLine(line string) bool {
	const version = "HTTP/"
	if strings.HasPrefix(line, version) {
		return true
	}
	method, _, _ := strings.Cut(line, " ")
	last := line[strings.LastIndexByte(line, ' ')+1:]
	return isToken(method) && len(method) < len(line) && strings.HasPrefix(last, version)
}

// parseHeader splits a header line. Its errors go on from the name of the line.
func parseHeader(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) {
		return "", "", errors.New("is not a header; write Name: value")
	}
	value = strings.Trim(value, " \t")
	if !isFieldValue(value) {
		return "", "", errors.New("has a control character in it; no server takes that")
	}
	return name, value, nil
}

// isToken tells whether a text can be a header's name (RFC 9110, 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		ch := s[i]
		alphanumeric := 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z' || '0' <= ch && ch <= '9'
		if !alphanumeric && strings.IndexByte("!#$%&'*+-.^_`|~", ch) < 0 {
			return false
		}
	}
	return s != ""
}

// isFieldValue tells whether a text can be a header's value.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7F {
			return false
		}
	}
	return true
}
