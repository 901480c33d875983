package webhook

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf16"
)

// keptHeaders holds the headers of a kept delivery, and the other values of its
// request that are printed with them.
type keptHeaders struct {
	header      http.Header
	url, method string // empty if not known

	scheme, authority, path string // of HTTP/2
}

// readHeaders reads headers as tools, logs and providers' pages print them: one
// per line as in a request or an answer, or as an object of a programming
// language. It skips nothing: a line that it cannot read is an error.
func readHeaders(text []byte) (*keptHeaders, error) {
	text = bytes.TrimPrefix(fromUTF16(text), []byte("\ufeff"))
	k := &keptHeaders{header: http.Header{}}
	text = []byte(unpasted(string(text)))
	read := k.readLines
	switch begin := bytes.TrimSpace(text); {
	case isList(string(begin)):
		read = k.readList
	case isObject(begin):
		read = k.readObject
	}
	if err := read(string(text)); err != nil {
		return nil, err
	}
	if k.url == "" && k.authority != "" && k.path != "" {
		if k.scheme == "" {
			k.scheme = "https"
		}
		k.url = k.scheme + "://" + k.authority + k.path
	}
	return k, nil
}

// fromUTF16 decodes UTF-16, which Windows PowerShell writes.
func fromUTF16(text []byte) []byte {
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case bytes.HasPrefix(text, []byte("\xfe\xff")):
		order = binary.BigEndian
	case !bytes.HasPrefix(text, []byte("\xff\xfe")):
		return text
	}
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = order.Uint16(text[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// lineError is the error for a line that cannot be read. It contains its number
// and its text.
type lineError struct {
	number int
	line   string
	wrong  string
}

func (e *lineError) Error() string {
	return fmt.Sprintf("line %d of the headers %s: %s", e.number, e.wrong, shown([]byte(e.line)))
}

// readLines reads headers with one per line.
func (k *keptHeaders) readLines(text string) error {
	var (
		name, value string // of the header that the next line may continue
		number      int
		indent      string // of the first line, if all lines are indented
		first       = true
	)
	begun := 0
	end := func() error {
		if name == "" {
			return nil
		}
		err := k.add(name, value)
		name = ""
		if err != nil {
			return &lineError{begun, value, err.Error()}
		}
		return nil
	}
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		whole := line
		if line == ">" || line == "<" {
			line = ""
		} else if rest, ok := cutArrow(line); ok {
			line = rest
		}
		if strings.TrimSpace(line) == "" {
			if err := end(); err != nil {
				return err
			}
			continue
		}
		if first {
			indent = line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		}
		line = strings.TrimPrefix(line, indent)
		isFirst := first
		first = false
		if line[0] == ' ' || line[0] == '\t' {
			if name == "" {
				return &lineError{number, whole, "continues no header; write Name: value"}
			}
			if value = joined(value, strings.TrimSpace(line)); len(value) > maxFolded {
				return &lineError{number, whole, "makes the header too long"}
			}
			continue
		}
		if _, _, isHeader := cutHeader(line); name != "" && value == "" && !isHeader {
			value = strings.TrimSpace(line) // the value is on its own line
			continue
		}
		if err := end(); err != nil {
			return err
		}
		if isFirst && isStartLine(line) {
			k.startLine(line)
			continue
		}
		var ok bool
		begun = number
		if name, value, ok = cutHeader(line); !ok {
			return &lineError{number, whole, "is not a header; write Name: value"}
		}
	}
	return end()
}

// maxFolded is the longest value on several lines, in bytes. It is bounded
// because each line copies the value before it.
const maxFolded = 64 << 10

// cutArrow removes the arrow that curl -v prints before a line of the request
// or of the answer.
func cutArrow(line string) (string, bool) {
	if rest, ok := strings.CutPrefix(line, "> "); ok {
		return rest, true
	}
	return strings.CutPrefix(line, "< ")
}

// joined joins the lines of a folded header. After a comma or a semicolon it
// adds no space, since the next line is another entry of a list, and providers
// send lists without spaces.
func joined(value, line string) string {
	if value == "" || strings.HasSuffix(value, ",") || strings.HasSuffix(value, ";") {
		return value + line
	}
	return value + " " + line
}

// isStartLine reports whether a line is a request line, or the status line of an
// answer: no header's name has a slash or a space in it.
func isStartLine(line string) bool {
	const version = "HTTP/"
	if strings.HasPrefix(line, version) {
		return true
	}
	method, _, _ := strings.Cut(line, " ")
	last := line[strings.LastIndexByte(line, ' ')+1:]
	return isToken(method) && len(method) < len(line) && strings.HasPrefix(last, version)
}

// startLine reads the method from a request line. It does not use the URL,
// which has no host there and may have been rewritten.
func (k *keptHeaders) startLine(line string) {
	if method, _, _ := strings.Cut(line, " "); !strings.HasPrefix(line, "HTTP/") {
		k.method = method
	}
}

// cutHeader splits a line into a name and a value. They are separated by a
// colon, possibly after white space, by a tab, or by an equals sign in a list
// of environment variables.
func cutHeader(line string) (name, value string, ok bool) {
	colon := strings.IndexByte(line[1:], ':') + 1 // not the colon that HTTP/2's own names begin with
	if colon > 0 {
		name, value = strings.TrimRight(line[:colon], " \t"), line[colon+1:]
	}
	tab := strings.IndexByte(line, '\t')
	if before := line[:max(tab, 0)]; isName(before) && (colon == 0 || tab < colon && !isName(name)) {
		name, value = before, line[tab+1:]
	}
	if before, after, found := strings.Cut(line, "="); found && isVariable(before) {
		name, value = before, after
	}
	return name, strings.Trim(value, " \t"), isName(name)
}

// isName reports whether a text can come before a value: the name of a header,
// or a label that pages print with headers.
func isName(s string) bool {
	_, isLabel := labels[strings.ToLower(s)]
	return isLabel || isToken(strings.TrimPrefix(s, ":"))
}

// labels are the labels that providers' pages and browsers print with headers.
// Each has a function that stores its value in the request, and does nothing if
// the value is never signed.
var labels = map[string]func(k *keptHeaders, value string){
	"request url":     func(k *keptHeaders, value string) { k.url = value },
	"request method":  func(k *keptHeaders, value string) { k.method = value },
	"status code":     func(*keptHeaders, string) {},
	"remote address":  func(*keptHeaders, string) {},
	"referrer policy": func(*keptHeaders, string) {},
	":method":         func(k *keptHeaders, value string) { k.method = value },
	":scheme":         func(k *keptHeaders, value string) { k.scheme = value },
	":authority":      func(k *keptHeaders, value string) { k.authority = value },
	":path":           func(k *keptHeaders, value string) { k.path = value },
	":status":         func(*keptHeaders, string) {},
}

var (
	errControl = errors.New("has a control character in it; no server takes that")
	errName    = errors.New("does not begin with a header's name; write Name: value")
)

// add adds a header, or stores the value of a label.
func (k *keptHeaders) add(name, value string) error {
	if !isFieldValue(value) {
		return errControl
	}
	if take, ok := labels[strings.ToLower(name)]; ok {
		take(k, value)
		return nil
	}
	if isVariable(name) {
		name = strings.ReplaceAll(strings.TrimPrefix(name, variablePrefix), "_", "-")
	}
	if !isToken(name) {
		return errName
	}
	k.header.Add(name, value)
	return nil
}

// variablePrefix is the prefix that CGI, WSGI, Rack and PHP put before the
// names of headers.
const variablePrefix = "HTTP_"

func isVariable(name string) bool {
	return strings.HasPrefix(name, variablePrefix) && len(name) > len(variablePrefix) && isToken(name) ||
		name == "CONTENT_TYPE" || name == "CONTENT_LENGTH"
}

// parseHeader splits a header from the command line. Its errors continue a
// sentence that begins with the name of the option.
func parseHeader(line string) (name, value string, err error) {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) {
		return "", "", errors.New("is not a header; write Name: value")
	}
	value = strings.Trim(value, " \t")
	if !isFieldValue(value) {
		return "", "", errControl
	}
	return name, value, nil
}

// isToken reports whether a text can be a header's name (RFC 9110, 5.6.2).
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

// isFieldValue reports whether a text can be a header's value.
func isFieldValue(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7F {
			return false
		}
	}
	return true
}

// sentTo checks that the kept URL is valid.
func (k *keptHeaders) sentTo() error {
	if k.url == "" {
		return nil
	}
	if u, err := url.Parse(k.url); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("the URL in the headers is not one: %s; write http:// or https://, a host, a path and the query", shown([]byte(k.url)))
	}
	return nil
}
