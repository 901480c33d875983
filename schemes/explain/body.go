package explain

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"mime/multipart"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// tryBody receives a changed body and the words that describe the change. It
// reports whether to go on, for functions that try many bodies.
type tryBody func(b []byte, words string) bool

// changeBody tries the bodies that a body may have been before or after a
// change.
type changeBody func(body []byte, try tryBody)

// onBody turns a function that changes bodies into a row's try function.
func onBody(change changeBody) func(*search, candidate, func(candidate, string) bool) {
	return func(s *search, c candidate, yield func(candidate, string) bool) {
		s.spend(len(c.body))
		going := true
		change(c.body, func(b []byte, words string) bool {
			s.left -= len(b)
			if going && len(b) > 0 && !bytes.Equal(b, c.body) {
				next := c
				next.body = b
				going = yield(next, words)
			}
			return going
		})
	}
}

// emptyBody undoes a signature over an empty body, made after the sender had
// already read the body.
func emptyBody(_ *search, c candidate, yield func(candidate, string) bool) {
	if len(c.body) > 0 {
		c.body = nil
		yield(c, "")
	}
}

// toOne returns a change with a single result.
func toOne(change func(body []byte) []byte) changeBody {
	return func(body []byte, try tryBody) { try(change(body), "") }
}

// toText is like toOne, for a change of text.
func toText(change func(text string) string) changeBody {
	return func(body []byte, try tryBody) { try([]byte(change(string(body))), "") }
}

// replacing returns a change that replaces all occurrences of one text with
// another. It tries each pair of texts.
func replacing(pairs ...string) changeBody {
	return func(body []byte, try tryBody) {
		for i := 0; i < len(pairs); i += 2 {
			try(bytes.ReplaceAll(body, []byte(pairs[i]), []byte(pairs[i+1])), "")
		}
	}
}

const byteOrderMark = "\ufeff"

var lineEnds = []string{"\r\n", "\n", "\r"}

func cutLineEnd(body []byte, try tryBody) {
	for _, end := range lineEnds {
		try(bytes.TrimSuffix(body, []byte(end)), "")
	}
}

func addLineEnd(body []byte, try tryBody) {
	for _, end := range lineEnds {
		try(slices.Concat(body, []byte(end)), "")
	}
}

// trimSpace also removes NUL, with which C pads a buffer.
func trimSpace(body []byte) []byte { return bytes.Trim(body, "\x00\t\n\v\f\r ") }

func toLF(body []byte) []byte { return bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")) }

func toCRLF(body []byte) []byte { return bytes.ReplaceAll(toLF(body), []byte("\n"), []byte("\r\n")) }

func withoutLineEnds(body []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("\r"), nil), []byte("\n"), nil)
}

func cutMark(body []byte) []byte { return bytes.TrimPrefix(body, []byte(byteOrderMark)) }

func addMark(body []byte) []byte { return slices.Concat([]byte(byteOrderMark), cutMark(body)) }

// typography lists the characters that word processors change, with both
// replacements. A text can contain each kind independently of the others.
var typography = []struct{ typed, written *strings.Replacer }{
	{strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‘", "'", "’", "'"), nil},
	{strings.NewReplacer("\u00a0", " ", "\u202f", " "), strings.NewReplacer(" ", "\u00a0")},
	{strings.NewReplacer("–", "-", "—", "--"), strings.NewReplacer("--", "—", "-", "–")},
	{strings.NewReplacer("—", "-"), strings.NewReplacer("--", "–")},
	{strings.NewReplacer("…", "..."), strings.NewReplacer("...", "…")},
	{strings.NewReplacer("\u200b", "", "\u2060", ""), strings.NewReplacer()},
}

var openingQuote = regexp.MustCompile(`(^|[\s([{:,])(["'])`)

func smartQuotes(text string) string {
	open, closed := strings.NewReplacer(`"`, "“", "'", "‘"), strings.NewReplacer(`"`, "”", "'", "’")
	return closed.Replace(openingQuote.ReplaceAllStringFunc(text, open.Replace))
}

func asTyped(body []byte, try tryBody)   { inTypography(body, true, try) }
func asWritten(body []byte, try tryBody) { inTypography(body, false, try) }

// inTypography tries the replacement of every combination of kinds.
func inTypography(body []byte, typed bool, try tryBody) {
	all := []string{string(body)}
	for _, kind := range typography {
		for _, text := range all {
			switch {
			case typed:
				text = kind.typed.Replace(text)
			case kind.written == nil:
				text = smartQuotes(text)
			default:
				text = kind.written.Replace(text)
			}
			all = append(all, text)
		}
		all = unique(all)
	}
	for _, text := range all {
		try([]byte(text), "")
	}
}

// escaper writes a text as a part of a form or URL. Encoders differ in the
// characters that they leave unescaped besides letters and digits, in how they
// write spaces and in the case of hex digits.
type escaper struct {
	kept  string
	plus  bool
	lower bool
}

// escapers lists the escapers of Go, JavaScript, Java, PHP, Python and .NET.
var escapers = func() (all []escaper) {
	for _, kept := range []string{"-_.~", "-_.*", "-_.!~*'()", "-_.", "-_.!*()", "-_.~$&+,/:;=@", "-_.!~*'();,/?:@&=+$#"} {
		all = append(all, escaper{kept, true, false}, escaper{kept, false, false}, escaper{kept, true, true}, escaper{kept, false, true})
	}
	return all
}()

// escapersOf returns escapers that each write these fields differently.
func escapersOf(all ...field) (different []escaper) {
	var there [256]bool
	for _, f := range all {
		for _, ch := range []byte(f.name + f.value) {
			there[ch] = true
		}
	}
	seen := map[string]bool{}
	for _, e := range escapers {
		var result strings.Builder
		for ch := range there {
			if there[ch] {
				result.WriteString(e.escape(string([]byte{byte(ch)})))
			}
		}
		if !seen[result.String()] {
			seen[result.String()] = true
			different = append(different, e)
		}
	}
	return different
}

func (e escaper) escape(text string) string {
	digits := "0123456789ABCDEF"
	if e.lower {
		digits = "0123456789abcdef"
	}
	var out strings.Builder
	for i := range len(text) {
		switch ch := text[i]; {
		case '0' <= ch && ch <= '9', 'a' <= ch|0x20 && ch|0x20 <= 'z', strings.IndexByte(e.kept, ch) >= 0:
			out.WriteByte(ch)
		case ch == ' ' && e.plus:
			out.WriteByte('+')
		default:
			out.WriteByte('%')
			out.WriteByte(digits[ch>>4])
			out.WriteByte(digits[ch&15])
		}
	}
	return out.String()
}

func percentEncoded(body []byte, try tryBody) {
	for _, e := range escapersOf(field{"", string(body)}) {
		try([]byte(e.escape(string(body))), "")
	}
}

func percentDecoded(body []byte, try tryBody) {
	for _, decode := range []func(string) (string, error){url.QueryUnescape, url.PathUnescape} {
		if plain, err := decode(string(body)); err == nil {
			try([]byte(plain), "")
		}
	}
}

// field is a field of a form.
type field struct{ name, value string }

// maxFields bounds the fields of the forms that are tried.
const maxFields = 256

// fields parses a form and returns nil if the body is not one. It keeps the
// order of the fields, unlike url.Values.
func fields(body []byte) (all []field) {
	if len(body) == 0 || bytes.Count(body, []byte("&")) >= maxFields || !bytes.Contains(body, []byte("=")) {
		return nil
	}
	for part := range strings.SplitSeq(string(body), "&") {
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || strings.ContainsAny(name, "{}\"<\n") {
			return nil
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil
		}
		all = append(all, field{name, value})
	}
	return all
}

// writeForm tries the form of some fields as each encoder writes it.
func writeForm(all []field, try tryBody) bool {
	for _, e := range escapersOf(all...) {
		var out []byte
		for i, f := range all {
			if i > 0 {
				out = append(out, '&')
			}
			out = append(append(append(out, e.escape(f.name)...), '='), e.escape(f.value)...)
		}
		if !try(out, "") {
			return false
		}
	}
	return true
}

// writeForms tries the fields in their own order and in others.
func writeForms(all []field, try tryBody) {
	if all == nil || !writeForm(all, try) {
		return
	}
	for _, other := range otherOrders(all, func(a, b field) int { return strings.Compare(a.name, b.name) }) {
		if !writeForm(other, try) {
			return
		}
	}
}

const (
	maxOrdered = 6  // the most parts that are tried in every order
	maxMoved   = 24 // the most parts of which each is tried elsewhere
)

// otherOrders returns other orders of the parts: sorted, reversed, with one
// part moved, and if there are few parts all orders.
func otherOrders[T any](parts []T, compare func(a, b T) int) (all [][]T) {
	backwards := slices.Clone(parts)
	slices.Reverse(backwards)
	all = append(all, slices.SortedStableFunc(slices.Values(parts), compare), backwards)
	switch {
	case len(parts) <= maxOrdered:
		return append(all, orders(parts)...)
	case len(parts) > maxMoved:
		return all
	}
	for from, part := range parts {
		rest := slices.Delete(slices.Clone(parts), from, from+1)
		for to := range parts {
			all = append(all, slices.Insert(slices.Clone(rest), to, part))
		}
	}
	return all
}

// formAnew tries a form with its fields in other orders, and with its escapes
// unchanged or rewritten.
func formAnew(body []byte, try tryBody) {
	all := fields(body)
	if all == nil {
		return
	}
	for _, parts := range otherOrders(strings.Split(string(body), "&"), strings.Compare) {
		if !try([]byte(strings.Join(parts, "&")), "") {
			return
		}
	}
	writeForms(all, try)
}

func fieldValue(body []byte, try tryBody) {
	for _, f := range fields(body) {
		try([]byte(f.value), "")
	}
}

// fieldNames are names of form fields in which providers send a whole JSON
// text.
var fieldNames = []string{"payload", "data", "json", "body", "message", "event", "request", "mandrill_events"}

func intoField(body []byte, try tryBody) {
	for _, name := range fieldNames {
		writeForm([]field{{name, string(body)}}, func(b []byte, _ string) bool { return try(b, name) })
	}
}

// formPart extracts the body from multipart/form-data.
func formPart(body []byte, try tryBody) {
	first, _, _ := strings.Cut(string(body[:min(len(body), 1<<10)]), "\n")
	boundary, ok := strings.CutPrefix(strings.TrimRight(first, "\r"), "--")
	if !ok || boundary == "" {
		return
	}
	parts := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxFields {
		part, err := parts.NextRawPart()
		if err != nil {
			return
		}
		if text, err := io.ReadAll(part); err == nil {
			try(text, "")
		}
	}
}

// jsonToForm turns an object whose members are strings, numbers or lists of
// them into a form.
func jsonToForm(body []byte, try tryBody) {
	root, err := parse(body)
	if err != nil || root.kind != '{' || len(root.members) > maxFields {
		return
	}
	var all []field
	for _, m := range root.members {
		values := []member{m}
		if m.value.kind == '[' {
			values = m.value.members
		}
		for _, v := range values {
			if v.value.kind != 0 || len(all) == maxFields {
				return
			}
			all = append(all, field{m.name, v.value.text + v.value.literal})
		}
	}
	writeForms(all, try)
}

func formToJSON(body []byte, try tryBody) {
	root := &node{kind: '{'}
	for _, f := range fields(body) {
		root.members = append(root.members, member{f.name, &node{text: f.value}})
	}
	if root.members != nil {
		writeAnew(root, len(body), try)
	}
}

// memberNames are names of members in which platforms, queues and logs store a
// body.
var memberNames = []string{
	"body", "Body", "rawBody", "raw_body", "payload", "data", "content", "text", "message", "Message", "detail", "event",
	"request_body", "requestBody", "raw", "jsonPayload", "textPayload",
}

const (
	maxMembers     = 200
	maxMemberDepth = 8
)

// fromEvent extracts the body from the JSON in which a platform or a log wraps
// it. It is a member with a known name at any depth, or any other member.
func fromEvent(known bool) changeBody {
	return func(body []byte, try tryBody) {
		left := maxMembers
		membersOf(body, "", 0, func(name string, raw []byte) bool {
			words := name
			if known != slices.Contains(memberNames, name) {
				words = ""
			} else if !known {
				words = "one of the members" // the name is part of the body
			}
			if left--; words == "" || len(raw) < 2 {
				return left > 0
			}
			value := raw
			var text string
			if json.Unmarshal(raw, &text) == nil {
				value = []byte(text)
				fromBase64(value, func(b []byte, _ string) bool { return try(b, words) })
			}
			fromBytes(value, func(b []byte, _ string) bool { return try(b, words) })
			return try(value, words) && left > 0
		})
	}
}

// membersOf visits the members of an object or array as they are written, outer
// ones first.
func membersOf(body []byte, name string, depth int, visit func(name string, raw []byte) bool) bool {
	var object map[string]json.RawMessage
	var array []json.RawMessage
	if depth == maxMemberDepth || json.Unmarshal(body, &object) != nil && json.Unmarshal(body, &array) != nil {
		return true
	}
	type raw struct {
		name string
		text []byte
	}
	var inside []raw
	for _, name := range slices.Sorted(maps.Keys(object)) {
		inside = append(inside, raw{name, object[name]})
	}
	for _, text := range array {
		inside = append(inside, raw{name, text})
	}
	for _, r := range inside {
		if !visit(r.name, r.text) {
			return false
		}
	}
	for _, r := range inside {
		if !membersOf(r.text, r.name, depth+1, visit) {
			return false
		}
	}
	return true
}

// intoEvent tries the smallest events of platforms, which contain only the
// body.
func intoEvent(body []byte, try tryBody) {
	texts := []string{jsonText(string(body)), `"` + base64.StdEncoding.EncodeToString(body) + `"`}
	if json.Valid(body) {
		texts = append(texts, string(body))
		try(slices.Concat([]byte("["), body, []byte("]")), "an array")
	}
	for i, text := range texts {
		for _, blank := range []string{"", " "} {
			for _, name := range memberNames {
				try(fmt.Appendf(nil, `{"%s":%s%s}`, name, blank, text), name)
			}
			encoded := fmt.Sprintf(`"isBase64Encoded":%s%t`, blank, i == 1)
			try(fmt.Appendf(nil, `{"body":%s%s,%s%s}`, blank, text, blank, encoded), "body")
			try(fmt.Appendf(nil, `{%s,%s"body":%s%s}`, encoded, blank, blank, text), "body")
		}
	}
}

// printedBytes matches the text that programs print around the numbers of
// bytes.
var printedBytes = regexp.MustCompile(`^\s*(?:\{\s*"type"\s*:\s*"Buffer"\s*,\s*"data"\s*:|<Buffer|Uint8Array\(\d+\)|Buffer\(\d+\)|\[\](?:byte|uint8)|byte\[\]|byte(?:array|s)\(|array\('B',)|"\d+"\s*:|[\[\]{}()<>]|\.\.\. \d+ more bytes`)

// fromBytes decodes printed numbers of bytes, signed as in Java or unsigned.
func fromBytes(body []byte, try tryBody) {
	if !bytes.ContainsAny(body, ", \n") {
		return
	}
	numbers := strings.FieldsFunc(printedBytes.ReplaceAllString(string(body), " "), func(r rune) bool { return strings.ContainsRune(" ,;\r\n\t", r) })
	for _, base := range []int{0, 16} {
		var plain []byte
		for _, number := range numbers {
			n, err := strconv.ParseInt(number, base, 16)
			if err != nil || n < -128 || n > 255 {
				plain = nil
				break
			}
			plain = append(plain, byte(n))
		}
		try(plain, "")
	}
}

// intoBytes prints bytes as Node, JavaScript, Python, Go and Java do.
func intoBytes(body []byte, try tryBody) {
	const shown = 50 // of a Buffer, by console.log
	numbers, byIndex, signed := make([]string, len(body)), make([]string, len(body)), make([]string, len(body))
	for i, ch := range body {
		numbers[i], byIndex[i], signed[i] = strconv.Itoa(int(ch)), fmt.Sprintf(`"%d":%d`, i, ch), strconv.Itoa(int(int8(ch)))
	}
	listed := strings.Join(numbers, ",")
	more := ""
	if len(body) > shown {
		more = fmt.Sprintf(" ... %d more bytes", len(body)-shown)
	}
	for _, text := range []string{
		`{"type":"Buffer","data":[` + listed + "]}",
		fmt.Sprintf("<Buffer % x%s>", body[:min(len(body), shown)], more),
		"[" + listed + "]", listed, "[" + strings.Join(numbers, ", ") + "]", "[" + strings.Join(numbers, " ") + "]",
		"{" + strings.Join(byIndex, ",") + "}", "[" + strings.Join(signed, ", ") + "]",
	} {
		try([]byte(text), "")
	}
}

// unquoted decodes a JSON string, with or without its quotes.
func unquoted(body []byte, try tryBody) {
	for _, text := range [][]byte{body, slices.Concat([]byte{'"'}, bytes.TrimSpace(body), []byte{'"'})} {
		var plain string
		if json.Unmarshal(text, &plain) == nil {
			try([]byte(plain), "")
		}
	}
}

// jsonText writes a JSON string, escaping only the characters that need it.
func jsonText(text string) string {
	w := writer{most: maxGrowth*len(text) + 4<<10}
	w.text(text)
	return string(w.out)
}

func quotedJSON(body []byte, try tryBody) {
	if quoted, err := json.Marshal(string(body)); err == nil { // as Go writes it
		try(quoted, "")
	}
	try([]byte(jsonText(string(body))), "")
}

// fromPython decodes bytes as Python prints them.
func fromPython(body []byte, try tryBody) {
	text := strings.TrimSpace(string(body))
	if len(text) < 3 || text[0] != 'b' || text[1] != '\'' && text[1] != '"' || text[len(text)-1] != text[1] {
		return
	}
	quote := text[1]
	var out []byte
	for text = text[2 : len(text)-1]; text != ""; {
		if text[0] != '\\' {
			out, text = append(out, text[0]), text[1:]
			continue
		}
		ch, multibyte, rest, err := strconv.UnquoteChar(text, quote)
		if err != nil && len(text) > 1 && (text[1] == '\'' || text[1] == '"') {
			ch, multibyte, rest, err = rune(text[1]), false, text[2:], nil
		}
		if err != nil || multibyte {
			return
		}
		out, text = append(out, byte(ch)), rest
	}
	try(out, "")
}

func intoPython(body []byte) []byte {
	quote := byte('\'')
	if bytes.IndexByte(body, '\'') >= 0 && bytes.IndexByte(body, '"') < 0 {
		quote = '"'
	}
	out := []byte{'b', quote}
	for _, ch := range body {
		switch at := strings.IndexByte("\\\n\r\t", ch); {
		case at >= 0:
			out = append(out, '\\', `\nrt`[at])
		case ch == quote:
			out = append(out, '\\', ch)
		case ch < ' ' || ch > '~':
			out = fmt.Appendf(out, `\x%02x`, ch)
		default:
			out = append(out, ch)
		}
	}
	return append(out, quote)
}

// afterHead extracts the body from a request that was kept with its headers.
func afterHead(body []byte, try tryBody) {
	first, _, _ := bytes.Cut(body, []byte("\n"))
	if !bytes.Contains(first, []byte(" HTTP/")) && !bytes.Contains(first, []byte(": ")) || bytes.ContainsAny(first, "{\"") {
		return
	}
	for _, blank := range []string{"\r\n\r\n", "\n\n"} {
		if _, rest, ok := bytes.Cut(body, []byte(blank)); ok {
			try(rest, "")
		}
	}
}

func dechunked(body []byte, try tryBody) {
	plain, err := io.ReadAll(httputil.NewChunkedReader(bufio.NewReader(bytes.NewReader(body))))
	if err == nil {
		try(plain, "")
	}
}

func escapedHTML(body []byte, try tryBody) {
	text := html.EscapeString(string(body))
	try([]byte(text), "")
	try([]byte(strings.NewReplacer("&#34;", "&quot;", "&#39;", "&#039;").Replace(text)), "")
	try([]byte(strings.NewReplacer("&#34;", `"`, "&#39;", "'").Replace(text)), "")
}

// dataURL matches the beginning of a data: URL, or a part of it.
var dataURL = regexp.MustCompile(`^\s*(?:data:)?([\w.+-]+/[\w.+-]+)?(;[\w-]+=[^;,]+)*(;base64)?,`)

func fromDataURL(body []byte, try tryBody) {
	at := dataURL.FindSubmatchIndex(body)
	if at == nil || at[1] < 2 { // a comma alone
		return
	}
	if at[6] >= 0 {
		fromBase64(body[at[1]:], try)
		return
	}
	percentDecoded(body[at[1]:], try)
}

func intoDataURL(body []byte, try tryBody) {
	for _, kind := range []string{"application/json", "application/octet-stream", "text/plain", "application/x-www-form-urlencoded", ""} {
		for _, charset := range []string{"", ";charset=utf-8", ";charset=UTF-8"} {
			try([]byte("data:"+kind+charset+";base64,"+base64.StdEncoding.EncodeToString(body)), "")
			for _, e := range escapers[1:] {
				if !e.plus && !e.lower {
					try([]byte("data:"+kind+charset+","+e.escape(string(body))), "")
				}
			}
		}
	}
}

// base64s are the base64 encodings, in both alphabets, with and without
// padding.
var base64s = []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding}

func fromBase64(body []byte, try tryBody) {
	text := strings.TrimSpace(string(body))
	for _, enc := range base64s {
		if plain, err := enc.DecodeString(text); err == nil {
			try(plain, "")
		}
	}
}

func intoBase64(body []byte, try tryBody) {
	for _, enc := range base64s {
		try([]byte(enc.EncodeToString(body)), "")
	}
	const width = 76 // the length of lines from the command base64 and Python's encodebytes
	var lines []byte
	for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(body)), width) {
		lines = append(append(lines, line...), '\n')
	}
	try(lines, "")
}

// dumped matches a line of hexdump or xxd: the offset, the bytes and their
// text.
var dumped = regexp.MustCompile(`(?m)^[0-9A-Fa-f]{6,8}:? +((?:[0-9A-Fa-f]{2,8} {1,2}){1,16}).*$`)

func fromHex(body []byte, try tryBody) {
	const perLine = 16
	var dump []byte
	for _, line := range dumped.FindAllSubmatch(body, -1) {
		digits := bytes.ReplaceAll(line[1], []byte(" "), nil)
		dump = append(dump, digits[:min(len(digits), 2*perLine)]...)
	}
	text := []byte(strings.NewReplacer("0x", "", `\x`, "", " ", "", "\n", "", "\r", "", ":", "", "-", "", ",", "").Replace(string(body)))
	for _, digits := range [][]byte{text, dump} {
		if plain, err := hex.DecodeString(string(digits)); err == nil {
			try(plain, "")
		}
	}
}

func intoHex(body []byte, try tryBody) {
	try(fmt.Appendf(nil, "%x", body), "")
	try(fmt.Appendf(nil, "%X", body), "")
	try(bytes.ReplaceAll(fmt.Appendf(nil, "% X", body), []byte(" "), []byte("-")), "") // .NET's BitConverter
}

// maxDecompressed bounds the size of a decompressed body. A larger one is not
// tried.
const maxDecompressed = 8 << 20

// codings are the ways to compress a body. Every library can undo them, but
// only the output of Go's encoders can be reproduced.
var codings = []struct {
	words string
	read  func(io.Reader) (io.Reader, error)
	write func(io.Writer, int) (io.WriteCloser, error)
}{
	{
		"gzip", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		func(w io.Writer, level int) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, level) },
	},
	{"deflate (zlib)", zlibReader, func(w io.Writer, level int) (io.WriteCloser, error) { return zlib.NewWriterLevel(w, level) }},
	{
		"deflate", func(r io.Reader) (io.Reader, error) { return flate.NewReader(r), nil },
		func(w io.Writer, level int) (io.WriteCloser, error) { return flate.NewWriter(w, level) },
	},
}

func zlibReader(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }

func decompressed(body []byte, try tryBody) {
	for _, c := range codings {
		r, err := c.read(bytes.NewReader(body))
		if err != nil {
			continue
		}
		plain, err := io.ReadAll(io.LimitReader(r, maxDecompressed+1))
		if err == nil && len(plain) <= maxDecompressed {
			try(plain, c.words)
		}
	}
}

func compressed(body []byte, try tryBody) {
	for _, c := range codings {
		for _, level := range []int{6, 1, 9} { // the default, the fastest and the best
			var out bytes.Buffer
			w, err := c.write(&out, level)
			if err != nil {
				continue
			}
			_, err = w.Write(body)
			if errors.Join(err, w.Close()) == nil && !try(out.Bytes(), c.words) {
				return
			}
		}
	}
}

// byteSet is a character set with one byte per character: Latin-1, except for
// the bytes 0x80 to 0x9F.
type byteSet struct {
	words string
	high  string // 32 characters; U+FFFD marks an unused byte
}

var byteSets = []byteSet{
	{"Latin-1 (ISO 8859-1)", ""},
	{"Windows-1252", "€\ufffd‚ƒ„…†‡ˆ‰Š‹Œ\ufffdŽ\ufffd\ufffd‘’“”•–—˜™š›œ\ufffdžŸ"},
}

// decode converts bytes of the set to UTF-8.
func (set byteSet) decode(body []byte) []byte {
	high := []rune(set.high)
	out := make([]byte, 0, 2*len(body))
	for _, ch := range body {
		r := rune(ch)
		if at := int(ch) - 0x80; at >= 0 && at < len(high) && high[at] != utf8.RuneError {
			r = high[at]
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

// encode converts UTF-8 to the set, if it has all the characters.
func (set byteSet) encode(text string) ([]byte, bool) {
	high := []rune(set.high)
	out := make([]byte, 0, len(text))
	for _, r := range text {
		switch at := slices.Index(high, r); {
		case r == utf8.RuneError:
			return nil, false
		case at >= 0:
			out = append(out, byte(0x80+at))
		case r <= 0xFF:
			out = append(out, byte(r))
		default:
			return nil, false
		}
	}
	return out, true
}

// hasLetters reports whether a body is UTF-8 with characters beyond ASCII.
func hasLetters(body []byte) bool {
	return utf8.Valid(body) && bytes.ContainsFunc(body, func(r rune) bool { return r >= utf8.RuneSelf })
}

// decodedAs tries a body decoded from every set, if it is UTF-8 or if it is
// not.
func decodedAs(isUTF8 bool) changeBody {
	return func(body []byte, try tryBody) {
		if utf8.Valid(body) != isUTF8 || isUTF8 && !hasLetters(body) {
			return
		}
		for _, set := range byteSets {
			try(set.decode(body), set.words)
		}
	}
}

// encodedAs encodes a body in every set, and tries the results that are UTF-8,
// or those that are not.
func encodedAs(isUTF8 bool) changeBody {
	return func(body []byte, try tryBody) {
		for _, set := range byteSets {
			if b, ok := set.encode(string(body)); ok && hasLetters(body) && utf8.Valid(b) == isUTF8 {
				try(b, set.words)
			}
		}
	}
}

// fromUTF16 decodes UTF-16 in both byte orders, with or without a byte order
// mark.
func fromUTF16(body []byte, try tryBody) {
	if len(body) < 2 || len(body)%2 != 0 || !bytes.Contains(body, []byte{0}) {
		return
	}
	for _, order := range byteOrders {
		units := make([]uint16, len(body)/2)
		for i := range units {
			units[i] = order.Uint16(body[2*i:])
		}
		try(cutMark([]byte(string(utf16.Decode(units)))), "")
	}
}

func intoUTF16(body []byte, try tryBody) {
	for _, mark := range []string{byteOrderMark, ""} {
		for _, order := range byteOrders {
			if utf8.Valid(body) {
				try(encodeUTF16(mark+string(body), order), "")
			}
		}
	}
}

func encodeUTF16(text string, order byteOrder) (out []byte) {
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

var byteOrders = []byteOrder{binary.LittleEndian, binary.BigEndian}
