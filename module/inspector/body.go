package inspector

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// How much of a body is shown. The whole one can be saved.
const (
	maxShownText  = 64 << 10
	maxShownLines = 4000
	maxShownBytes = 8 << 10
	maxNodes      = 2000
	maxDepth      = 100
)

// bodyView is a body in one of its three views.
type bodyView struct {
	View  string
	Size  int64
	Views []choice
	Cut   string // says which part is shown

	Lines []bodyLine // text
	Tree  *node      // tree
	Trees string     // why there is no tree
	Bytes []byteLine // bytes
}

// bodyLine is a line of text, and byteLine one of sixteen bytes.
type (
	bodyLine struct {
		Pieces []piece
		End    string // the characters that end it
	}
	byteLine struct{ Offset, Hex, Text string }
)

func newBodyView(body []byte, view string) *bodyView {
	v := &bodyView{View: view, Size: int64(len(body))}
	if view != "tree" && view != "bytes" {
		v.View = "text"
	}
	for _, c := range []struct{ name, words string }{{"text", "Text"}, {"tree", "JSON tree"}, {"bytes", "Bytes"}} {
		v.Views = append(v.Views, choice{Words: c.words, Address: "?view=" + c.name + "#body", Chosen: v.View == c.name})
	}
	switch v.View {
	case "tree":
		v.readTree(body)
	case "bytes":
		v.readBytes(body)
	default:
		v.readLines(body)
	}
	return v
}

// readLines sets the lines of the text, with their line ends and the spaces
// before them. A change to these is invisible but breaks the signature.
func (v *bodyView) readLines(body []byte) {
	if len(body) > maxShownText {
		end := maxShownText
		for end > maxShownText-utf8.UTFMax && !utf8.RuneStart(body[end]) {
			end--
		}
		body = body[:end]
		v.Cut = fmt.Sprintf("the first %s", size(int64(end)))
	}
	for line := range strings.Lines(string(body)) {
		if len(v.Lines) == maxShownLines {
			v.Cut = fmt.Sprintf("the first %s", plural(maxShownLines, "line"))
			break
		}
		var l bodyLine
		text := strings.TrimSuffix(line, "\n")
		if text != line {
			l.End = `\n`
		}
		if l.End != "" && strings.HasSuffix(text, "\r") {
			text, l.End = text[:len(text)-1], `\r\n`
		}
		text, trailing := spaces(text)
		l.Pieces = visible(text)
		if trailing > 0 {
			l.Pieces = append(l.Pieces, piece{Text: strings.Repeat("·", trailing), Name: "spaces at the end of a line"})
		}
		v.Lines = append(v.Lines, l)
	}
}

func (v *bodyView) readBytes(body []byte) {
	if len(body) > maxShownBytes {
		body = body[:maxShownBytes]
		v.Cut = fmt.Sprintf("the first %s", size(maxShownBytes))
	}
	const width = 16
	for offset := 0; offset < len(body); offset += width {
		row := body[offset:min(offset+width, len(body))]
		var text strings.Builder
		for _, b := range row {
			if b < ' ' || b > '~' {
				b = '.'
			}
			text.WriteByte(b)
		}
		digits := hex.EncodeToString(row)
		var spaced strings.Builder
		for i := 0; i < len(digits); i += 2 {
			if i > 0 {
				spaced.WriteByte(' ')
			}
			if i == width {
				spaced.WriteByte(' ')
			}
			spaced.WriteString(digits[i : i+2])
		}
		v.Bytes = append(v.Bytes, byteLine{fmt.Sprintf("%06x", offset), spaced.String(), text.String()})
	}
}

// node is a value in a JSON text. Members keep their order, and repeated
// members are all kept, so that nothing is hidden.
type node struct {
	Name     *string // of a member
	Index    int     // in a list, from 0
	Kind     string  // object, array, string, number, literal
	Text     string
	Children []*node
}

// Count returns the number of children in words.
func (n *node) Count() string {
	if n.Kind == "object" {
		return plural(len(n.Children), "member")
	}
	return plural(len(n.Children), "item")
}

// IsList reports whether the children have positions instead of names.
func (n *node) IsList() bool { return n.Kind == "array" }

var errTooMuch = errors.New("too much")

func (v *bodyView) readTree(body []byte) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	left := maxNodes
	tree, err := readNode(d, &left, maxDepth)
	if err == nil {
		if _, err = d.Token(); err == nil {
			err = errors.New("something follows the first value")
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	switch {
	case errors.Is(err, errTooMuch) && tree != nil:
		v.Cut = fmt.Sprintf("the first %s", plural(maxNodes, "value"))
	case err != nil:
		v.Trees = "The body is not JSON: " + jsonTrouble(err) + "."
		return
	}
	v.Tree = tree
}

// jsonTrouble describes a JSON error without quoting the sender.
func jsonTrouble(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("it goes wrong at byte %d", syntax.Offset)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it ends too early"
	}
	return "it goes wrong"
}

// readNode reads a value. When the limit is reached, it returns what it has
// read and errTooMuch.
func readNode(d *json.Decoder, left *int, depth int) (*node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	if *left--; *left < 0 || depth == 0 {
		return nil, errTooMuch
	}
	switch value := token.(type) {
	case string:
		return &node{Kind: "string", Text: value}, nil
	case json.Number:
		return &node{Kind: "number", Text: value.String()}, nil
	case json.Delim:
		n := &node{Kind: "array"}
		if value == '{' {
			n.Kind = "object"
		}
		return n, n.readChildren(d, left, depth)
	default:
		return &node{Kind: "literal", Text: literal(token)}, nil
	}
}

func (n *node) readChildren(d *json.Decoder, left *int, depth int) error {
	for d.More() {
		var name *string
		if n.Kind == "object" {
			token, err := d.Token()
			if err != nil {
				return err
			}
			text, _ := token.(string) // the decoder allows nothing else here
			name = &text
		}
		child, err := readNode(d, left, depth-1)
		if child != nil {
			child.Name, child.Index = name, len(n.Children)
			n.Children = append(n.Children, child)
		}
		if err != nil {
			return err
		}
	}
	_, err := d.Token() // the end
	return err
}

func literal(token json.Token) string {
	if token == nil {
		return "null"
	}
	return fmt.Sprint(token)
}
