package explain

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxGrowth bounds the growth of a rewritten body: a small, deeply nested one
// would take gigabytes when indented.
const maxGrowth = 16

// maxDepth bounds how deeply a body may be nested to be rewritten.
const maxDepth = 1000

// layouts are the white space styles of JSON encoders. JSON.stringify, Python's
// json.dumps and PHP also write the indented ones.
var layouts = []struct{ words, comma, colon, indent string }{
	{"compact", ",", ":", ""},
	{"with a blank behind commas and colons, as Python's json.dumps writes it", ", ", ": ", ""},
	{"indented by 2", ",", ": ", "  "},
	{"indented by 4", ",", ": ", "    "},
	{"indented by tabs", ",", ": ", "\t"},
}

// escapes are the characters that some encoders escape without need.
var escapes = []struct {
	words string
	needs func(r rune) bool
}{
	{"with the characters that are not ASCII escaped", func(r rune) bool { return r >= utf8.RuneSelf }},
	{`with \/ for /, as PHP writes it`, func(r rune) bool { return r == '/' }},
	{"with < > & escaped, as Go writes it", func(r rune) bool {
		return r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029'
	}},
}

// rewritten tries the bodies that other encoders write for the same JSON.
func rewritten(body []byte, try tryBody) {
	root, err := parse(bytes.TrimPrefix(body, []byte(byteOrderMark)))
	if err != nil {
		return
	}
	unescaped := bytes.Contains(body, []byte(`\`))
	writeAnew(root, len(body), func(b []byte, words string) bool {
		if unescaped && !strings.Contains(words, "escaped") && !strings.Contains(words, `\/`) {
			words += ", with nothing escaped that need not be"
		}
		return try(b, words) && try(append(b, '\n'), words+" and a line end")
	})
}

// writeAnew tries a value in every layout, with every escape, and with its
// members sorted. The size is that of the original body.
func writeAnew(root *node, size int, try tryBody) {
	special := root.special()
	for _, sorted := range []bool{false, true} {
		if sorted {
			root.sort()
		}
		for escaped := range uint(1 << len(escapes)) {
			if escaped&^special != 0 {
				continue // this escape changes nothing
			}
			for i := range layouts {
				w := writer{layout: i, escaped: escaped, most: maxGrowth*size + 4<<10}
				w.value(root, 0)
				if len(w.out) <= w.most && !try(w.out, w.words(sorted)) {
					return
				}
			}
		}
	}
}

func (w *writer) words(sorted bool) string {
	words := []string{layouts[w.layout].words}
	if sorted {
		words = append(words, "with its keys sorted")
	}
	for i, e := range escapes {
		if w.escaped&(1<<i) != 0 {
			words = append(words, e.words)
		}
	}
	return strings.Join(words, ", ")
}

// node is a JSON value. Unlike the values of encoding/json, it keeps the order
// of members, repeated members and the spelling of numbers.
type node struct {
	kind    json.Delim // { or [, or 0 for a value without members
	text    string     // of a string
	literal string     // of a number, true, false or null
	members []member
}

type member struct {
	name  string
	value *node
}

var errNotJSON = errors.New("not one JSON value")

// parse reads the whole body.
func parse(body []byte) (*node, error) {
	if !json.Valid(body) {
		return nil, errNotJSON
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	root, err := parseValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON
	}
	return root, nil
}

func parseValue(dec *json.Decoder, depth int) (*node, error) {
	token, err := dec.Token()
	if err != nil || depth > maxDepth {
		return nil, cmp.Or(err, errNotJSON)
	}
	switch t := token.(type) {
	case string:
		return &node{text: t}, nil
	case json.Number:
		return &node{literal: t.String()}, nil
	case bool:
		return &node{literal: fmt.Sprint(t)}, nil
	case nil:
		return &node{literal: "null"}, nil
	}
	n := &node{kind: token.(json.Delim)}
	for dec.More() {
		var m member
		if n.kind == '{' {
			name, err := dec.Token()
			if err != nil {
				return nil, err
			}
			m.name, _ = name.(string)
		}
		if m.value, err = parseValue(dec, depth+1); err != nil {
			return nil, err
		}
		n.members = append(n.members, m)
	}
	_, err = dec.Token() // the end of it
	return n, err
}

// sort sorts the members of every object.
func (n *node) sort() {
	if n.kind == '{' {
		slices.SortStableFunc(n.members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	}
	for _, m := range n.members {
		m.value.sort()
	}
}

// special returns, as bits, the escapes that would change the value's text.
func (n *node) special() (kinds uint) {
	look := func(text string) {
		for i, e := range escapes {
			if strings.ContainsFunc(text, e.needs) {
				kinds |= 1 << i
			}
		}
	}
	look(n.text)
	for _, m := range n.members {
		look(m.name)
		kinds |= m.value.special()
	}
	return kinds
}

// writer writes a value in one layout with some escapes.
type writer struct {
	layout  int
	escaped uint
	most    int // bytes after which it stops
	out     []byte
}

func (w *writer) value(n *node, depth int) {
	switch {
	case n.literal != "":
		w.out = append(w.out, n.literal...)
		return
	case n.kind == 0:
		w.text(n.text)
		return
	}
	l := layouts[w.layout]
	w.out = append(w.out, byte(n.kind))
	for i, m := range n.members {
		if len(w.out) > w.most {
			return
		}
		if i > 0 {
			w.out = append(w.out, l.comma...)
		}
		w.line(depth + 1)
		if n.kind == '{' {
			w.text(m.name)
			w.out = append(w.out, l.colon...)
		}
		w.value(m.value, depth+1)
	}
	if len(n.members) > 0 {
		w.line(depth)
	}
	w.out = append(w.out, byte(n.kind)+2) // in ASCII, ] and } are two after [ and {
}

// line begins a new line, in layouts with lines.
func (w *writer) line(depth int) {
	if indent := layouts[w.layout].indent; indent != "" {
		w.out = append(w.out, '\n')
		for range depth {
			w.out = append(w.out, indent...)
		}
	}
}

func (w *writer) text(s string) {
	w.out = append(w.out, '"')
	for _, r := range s {
		w.rune(r)
	}
	w.out = append(w.out, '"')
}

func (w *writer) rune(r rune) {
	if at := strings.IndexRune("\"\\\b\f\n\r\t", r); at >= 0 {
		w.out = append(w.out, '\\', `"\bfnrt`[at])
		return
	}
	escape := r < ' '
	for i, e := range escapes {
		if w.escaped&(1<<i) == 0 || !e.needs(r) {
			continue
		}
		if r == '/' {
			w.out = append(w.out, '\\')
			break
		}
		escape = true
	}
	switch {
	case !escape:
		w.out = utf8.AppendRune(w.out, r)
	case r > 0xFFFF:
		r -= 0x10000
		w.out = fmt.Appendf(w.out, `\u%04x\u%04x`, 0xD800+r>>10, 0xDC00+r&0x3FF)
	default:
		w.out = fmt.Appendf(w.out, `\u%04x`, r)
	}
}
