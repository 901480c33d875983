package webhook

import (
	"strconv"
	"strings"
)

// isObject reports whether a text is headers as a programming language prints
// them.
func isObject(text []byte) bool {
	s := string(text)
	return strings.HasPrefix(s, "{") || strings.HasPrefix(s, "map[") || strings.HasPrefix(s, "http.Header{") ||
		strings.HasPrefix(s, "Headers {") || strings.HasPrefix(s, "Headers({") ||
		strings.HasPrefix(s, `"`) || strings.HasPrefix(s, "'")
}

// readObject reads headers as JSON, as Node, Python, Ruby and Go print a map of
// them: names and values, or lists of values, in quotes or plain.
func (k *keptHeaders) readObject(text string) error {
	o := &objectReader{text: text}
	o.space()
	if strings.HasPrefix(o.rest(), "map[") {
		return o.readMap(k)
	}
	// There may be the name of a type before the brace, or no brace if the
	// lines were copied from the middle.
	if at := strings.IndexByte(o.rest(), '{'); at >= 0 && !strings.ContainsAny(o.rest()[:at], `"'`) {
		o.at += at + 1
	}
	for {
		o.space()
		if o.at == len(o.text) || o.text[o.at] == '}' {
			break
		}
		begun := o.at
		name, ok := o.word()
		if !ok || !o.assign() {
			return o.wrong(begun, "is not a header; write \"Name\": \"value\"")
		}
		values, ok := o.values()
		if !ok {
			return o.wrong(begun, "has no value in quotes; write \"Name\": \"value\"")
		}
		for _, value := range values {
			if err := k.add(name, value); err != nil {
				return o.wrong(begun, err.Error())
			}
		}
	}
	o.at = len(o.text) - len(strings.TrimLeft(o.rest(), " \t\r\n})];,"))
	if o.at < len(o.text) {
		return o.wrong(o.at, "goes on after the headers")
	}
	return nil
}

// objectReader reads the parts of a printed object.
type objectReader struct {
	text string
	at   int
}

func (o *objectReader) rest() string { return o.text[o.at:] }

// space skips white space and commas.
func (o *objectReader) space() {
	o.at += len(o.rest()) - len(strings.TrimLeft(o.rest(), " \t\r\n,"))
}

// assign skips the separator between a name and its value, and reports whether
// there is one.
func (o *objectReader) assign() bool {
	o.space()
	for _, between := range []string{"=>", ":", "="} {
		if rest, ok := strings.CutPrefix(o.rest(), between); ok {
			o.at = len(o.text) - len(rest)
			o.space()
			return true
		}
	}
	return false
}

// values reads a value or a list of them.
func (o *objectReader) values() (all []string, ok bool) {
	if rest, isGo := strings.CutPrefix(o.rest(), "[]string"); isGo {
		o.at = len(o.text) - len(rest)
	}
	if o.at == len(o.text) || o.text[o.at] != '[' && o.text[o.at] != '{' {
		value, ok := o.word()
		return []string{value}, ok
	}
	end := o.text[o.at] + 2 // in ASCII, ] and } are two after [ and {
	for o.at++; ; {
		o.space()
		if o.at == len(o.text) {
			return nil, false
		}
		if o.text[o.at] == end {
			o.at++
			return all, true
		}
		value, ok := o.word()
		if !ok {
			return nil, false
		}
		all = append(all, value)
	}
}

// word reads a text in quotes, or a name, a number, true, false or null.
func (o *objectReader) word() (string, bool) {
	rest := o.rest()
	if rest == "" {
		return "", false
	}
	if strings.IndexByte("\"'`", rest[0]) < 0 {
		size := len(rest) - len(strings.TrimLeftFunc(rest, func(r rune) bool {
			return strings.ContainsRune("-_.", r) || '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z'
		}))
		o.at += size
		return rest[:size], size > 0
	}
	quote := rest[0]
	var out strings.Builder
	for i := 1; i < len(rest); {
		switch {
		case rest[i] == quote:
			o.at += i + 1
			return out.String(), true
		case rest[i] == '\n':
			return "", false
		case rest[i] != '\\' || quote == '`':
			out.WriteByte(rest[i])
			i++
		case i+1 < len(rest) && strings.IndexByte("/\"'`", rest[i+1]) >= 0:
			out.WriteByte(rest[i+1])
			i += 2
		default:
			ch, _, tail, err := strconv.UnquoteChar(rest[i:], quote)
			if err != nil {
				return "", false
			}
			out.WriteRune(ch)
			i = len(rest) - len(tail)
		}
	}
	return "", false
}

// readMap reads an http.Header as Go prints it: map[Name:[value] Name:[value]].
// Go separates the values of one name with a space. A value may also contain
// spaces, so the values are read as one.
func (o *objectReader) readMap(k *keptHeaders) error {
	o.at += len("map[")
	for {
		o.space()
		begun := o.at
		rest := o.rest()
		if strings.HasPrefix(rest, "]") {
			if o.at++; strings.TrimSpace(o.rest()) != "" {
				return o.wrong(o.at, "goes on after the headers")
			}
			return nil
		}
		name, value, ok := strings.Cut(rest, ":[")
		if !ok || !isToken(name) {
			return o.wrong(begun, "is not a header; write map[Name:[value]]")
		}
		size := endOfValue(value)
		if size < 0 {
			return o.wrong(begun, "has no end; write map[Name:[value]]")
		}
		if err := k.add(name, value[:size]); err != nil {
			return o.wrong(begun, err.Error())
		}
		o.at = begun + len(name) + len(":[") + size + 1
	}
}

// endOfValue returns the position of the bracket before the next header or the
// end of the map, or -1.
func endOfValue(text string) int {
	for at := 0; ; at++ {
		next := strings.IndexByte(text[at:], ']')
		if next < 0 {
			return -1
		}
		at += next
		after := text[at+1:]
		name, _, isHeader := strings.Cut(strings.TrimPrefix(after[:min(len(after), maxName)], " "), ":[")
		if strings.HasPrefix(after, "]") || isHeader && isToken(name) && after[0] == ' ' {
			return at
		}
	}
}

// maxName bounds the name of a header, in bytes.
const maxName = 256

// wrong returns the error for the line at a position.
func (o *objectReader) wrong(at int, what string) error {
	begin := strings.LastIndexByte(o.text[:at], '\n') + 1
	line, _, _ := strings.Cut(o.text[begin:], "\n")
	return &lineError{strings.Count(o.text[:at], "\n") + 1, strings.TrimSuffix(line, "\r"), what}
}
