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
	"html"
	"io"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// tryBody takes a body with the words of its variant. It reports whether to go
// on.
type tryBody func(b []byte, words string) bool

// onBody makes a row's function of one that changes bodies.
func onBody(change func(body []byte, try tryBody)) func(*search, candidate, func(candidate, string) bool) {
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

// emptyBody is a body that the sender had read before it signed.
func emptyBody(_ *search, c candidate, yield func(candidate, string) bool) {
	if len(c.body) > 0 {
		c.body = nil
		yield(c, "")
	}
}

const byteOrderMark = "\ufeff"

var lineEnds = []string{"\r\n", "\n", "\r"}

func cutLineEnd(body []byte, try tryBody) {
	for _, end := range lineEnds {
		if bare, ok := bytes.CutSuffix(body, []byte(end)); ok && !try(bare, "") {
			return
		}
	}
}

func addLineEnd(body []byte, try tryBody) {
	for _, end := range lineEnds {
		if !try(slices.Concat(body, []byte(end)), "") {
			return
		}
	}
}

func trimSpace(body []byte, try tryBody) { try(bytes.TrimSpace(body), "") }

func lf(body []byte) []byte { return bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")) }

func toLF(body []byte, try tryBody) { try(lf(body), "") }

func toCRLF(body []byte, try tryBody) {
	try(bytes.ReplaceAll(lf(body), []byte("\n"), []byte("\r\n")), "")
}

func withoutLineEnds(body []byte, try tryBody) {
	try(bytes.ReplaceAll(bytes.ReplaceAll(body, []byte("\r"), nil), []byte("\n"), nil), "")
}

func cutMark(body []byte, try tryBody) { try(bytes.TrimPrefix(body, []byte(byteOrderMark)), "") }

func addMark(body []byte, try tryBody) {
	if !bytes.HasPrefix(body, []byte(byteOrderMark)) {
		try(slices.Concat([]byte(byteOrderMark), body), "")
	}
}

// escaper writes a text as a part of a form or URL. Encoders differ in what they
// leave as it is besides letters and digits, in blanks and in the case of hex.
type escaper struct {
	kept  string
	plus  bool
	lower bool
}

// escapers has those of Go, JavaScript, Java, PHP, Python and .NET.
var escapers = func() (all []escaper) {
	for _, kept := range []string{"-_.~", "-_.*", "-_.!~*'()", "-_.", "-_.!*()", "-_.~$&+,/:;=@"} {
		all = append(all, escaper{kept, true, false}, escaper{kept, false, false}, escaper{kept, true, true}, escaper{kept, false, true})
	}
	return all
}()

// escapersOf are the escapers that write some texts differently.
func escapersOf(all ...field) (different []escaper) {
	var there [256]bool
	for _, f := range all {
		for _, text := range []string{f.name, f.value} {
			for i := range len(text) {
				there[text[i]] = true
			}
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
		if !try([]byte(e.escape(string(body))), "") {
			return
		}
	}
}

func percentDecoded(body []byte, try tryBody) {
	for _, decode := range []func(string) (string, error){url.QueryUnescape, url.PathUnescape} {
		if plain, err := decode(string(body)); err == nil && !try([]byte(plain), "") {
			return
		}
	}
}

// field is a field of a form.
type field struct{ name, value string }

// maxFields bounds the forms that are looked at.
const maxFields = 256

// fields reads a form, or returns nil. It keeps the order, unlike url.Values.
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

// writeForm tries some fields as a form, by every encoder.
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

func byName(a, b field) int { return strings.Compare(a.name, b.name) }

func formAnew(body []byte, try tryBody) {
	all := fields(body)
	if all != nil && writeForm(all, try) {
		slices.SortStableFunc(all, byName)
		writeForm(all, try)
	}
}

func fieldValue(body []byte, try tryBody) {
	for _, f := range fields(body) {
		if !try([]byte(f.value), "") {
			return
		}
	}
}

// fieldNames are those in which providers put a whole JSON.
var fieldNames = []string{"payload", "data", "json", "body", "message", "event", "request", "mandrill_events"}

func intoField(body []byte, try tryBody) {
	for _, name := range fieldNames {
		if !writeForm([]field{{name, string(body)}}, func(b []byte, _ string) bool { return try(b, name) }) {
			return
		}
	}
}

// jsonToForm makes a form of an object whose members are texts, numbers, or
// lists of them.
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
	if all != nil && writeForm(all, try) {
		slices.SortStableFunc(all, byName)
		writeForm(all, try)
	}
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

// memberNames are those in which platforms, queues and logs put a body.
var memberNames = []string{"body", "rawBody", "raw_body", "payload", "data", "content", "text", "request_body"}

// envelope takes the body out of the JSON that a platform or a log makes of it.
func envelope(body []byte, try tryBody) {
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		return
	}
	for _, name := range memberNames {
		raw, ok := object[name]
		if !ok {
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		if !try([]byte(text), name) {
			return
		}
		if plain, err := base64.StdEncoding.DecodeString(text); err == nil && !try(plain, name) {
			return
		}
	}
}

// buffer is what Node makes of a Buffer in JSON.
type buffer struct {
	Type string `json:"type"`
	Data []int  `json:"data"`
}

func fromBuffer(body []byte, try tryBody) {
	var b buffer
	if json.Unmarshal(body, &b) != nil || b.Type != "Buffer" {
		return
	}
	plain := make([]byte, len(b.Data))
	for i, n := range b.Data {
		plain[i] = byte(n)
	}
	try(plain, "")
}

func intoBuffer(body []byte, try tryBody) {
	b := buffer{"Buffer", make([]int, len(body))}
	for i, ch := range body {
		b.Data[i] = int(ch)
	}
	if text, err := json.Marshal(b); err == nil {
		try(text, "")
	}
}

// unquoted reads a JSON string, also one that has lost its quotes.
func unquoted(body []byte, try tryBody) {
	for _, text := range [][]byte{body, slices.Concat([]byte{'"'}, bytes.TrimSpace(body), []byte{'"'})} {
		var plain string
		if json.Unmarshal(text, &plain) == nil && !try([]byte(plain), "") {
			return
		}
	}
}

func quotedJSON(body []byte, try tryBody) {
	if quoted, err := json.Marshal(string(body)); err == nil && !try(quoted, "") {
		return
	}
	// As all others write it, with nothing escaped that need not be.
	w := writer{most: maxGrowth*len(body) + 4<<10}
	w.text(string(body))
	try(w.out, "")
}

// pythonBytes reads what print writes of bytes.
func pythonBytes(body []byte, try tryBody) {
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

// afterHead takes the body out of a request that was kept whole.
func afterHead(body []byte, try tryBody) {
	first, _, _ := bytes.Cut(body, []byte("\n"))
	if !bytes.Contains(first, []byte(" HTTP/")) && !bytes.Contains(first, []byte(": ")) || bytes.ContainsAny(first, "{\"") {
		return
	}
	for _, blank := range []string{"\r\n\r\n", "\n\n"} {
		if _, rest, ok := bytes.Cut(body, []byte(blank)); ok && !try(rest, "") {
			return
		}
	}
}

func dechunked(body []byte, try tryBody) {
	plain, err := io.ReadAll(httputil.NewChunkedReader(bufio.NewReader(bytes.NewReader(body))))
	if err == nil {
		try(plain, "")
	}
}

func unescapedHTML(body []byte, try tryBody) { try([]byte(html.UnescapeString(string(body))), "") }

func escapedHTML(body []byte, try tryBody) {
	text := html.EscapeString(string(body))
	if try([]byte(text), "") {
		try([]byte(strings.NewReplacer("&#34;", "&quot;", "&#39;", "&#039;").Replace(text)), "")
	}
}

// base64s are its alphabets and paddings.
var base64s = []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding}

func fromBase64(body []byte, try tryBody) {
	text := strings.TrimSpace(string(body))
	if _, data, ok := strings.Cut(text, ";base64,"); ok {
		text = data
	}
	for _, enc := range base64s {
		if plain, err := enc.DecodeString(text); err == nil && !try(plain, "") {
			return
		}
	}
}

func intoBase64(body []byte, try tryBody) {
	for _, enc := range base64s {
		if !try([]byte(enc.EncodeToString(body)), "") {
			return
		}
	}
}

func fromHex(body []byte, try tryBody) {
	text := strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(string(body)), "0x"), `\x`)
	if plain, err := hex.DecodeString(text); err == nil {
		try(plain, "")
	}
}

func intoHex(body []byte, try tryBody) {
	text := hex.AppendEncode(nil, body)
	if try(text, "") {
		try(bytes.ToUpper(text), "")
	}
}

// maxDecompressed bounds what a body is decompressed to. A larger one is left
// alone.
const maxDecompressed = 8 << 20

func decompressed(body []byte, try tryBody) {
	for _, c := range []struct {
		words string
		open  func(io.Reader) (io.Reader, error)
	}{
		{"gzip", func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) }},
		{"deflate (zlib)", func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) }},
		{"deflate", func(r io.Reader) (io.Reader, error) { return flate.NewReader(r), nil }},
	} {
		r, err := c.open(bytes.NewReader(body))
		if err != nil {
			continue
		}
		plain, err := io.ReadAll(io.LimitReader(r, maxDecompressed+1))
		if err == nil && len(plain) <= maxDecompressed && !try(plain, c.words) {
			return
		}
	}
}

// compressed writes what Go's compressors make of a body. What others make of it
// differs, and cannot be found again.
func compressed(body []byte, try tryBody) {
	for _, c := range []struct {
		words string
		open  func(io.Writer) io.WriteCloser
	}{
		{"gzip", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }},
		{"deflate (zlib)", func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }},
	} {
		var out bytes.Buffer
		w := c.open(&out)
		_, err := w.Write(body)
		if err == nil && w.Close() == nil && !try(out.Bytes(), c.words) {
			return
		}
	}
}

// byteSet is a character set with one byte for each character: Latin-1, but for
// what stands at 0x80 to 0x9F.
type byteSet struct {
	words string
	high  string // 32 characters; U+FFFD: none
}

var byteSets = []byteSet{
	{"Latin-1 (ISO 8859-1)", ""},
	{"Windows-1252", "€\ufffd‚ƒ„…†‡ˆ‰Š‹Œ\ufffdŽ\ufffd\ufffd‘’“”•–—˜™š›œ\ufffdžŸ"},
}

// decode reads bytes of the set as UTF-8.
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

// encode writes UTF-8 in the set, if it has all the characters.
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

// hasLetters reports whether a body is UTF-8 with more than ASCII.
func hasLetters(body []byte) bool {
	return utf8.Valid(body) && bytes.ContainsFunc(body, func(r rune) bool { return r >= utf8.RuneSelf })
}

func fromByteSet(body []byte, try tryBody) {
	if !utf8.Valid(body) {
		decodedBySet(body, try)
	}
}

func encodedTwice(body []byte, try tryBody) {
	if hasLetters(body) {
		decodedBySet(body, try)
	}
}

func decodedBySet(body []byte, try tryBody) {
	for _, set := range byteSets {
		if !try(set.decode(body), set.words) {
			return
		}
	}
}

func intoByteSet(body []byte, try tryBody) {
	encodedBySet(body, func(b []byte, words string) bool { return utf8.Valid(b) || try(b, words) })
}

func decodedTwice(body []byte, try tryBody) {
	encodedBySet(body, func(b []byte, words string) bool { return !utf8.Valid(b) || try(b, words) })
}

func encodedBySet(body []byte, try tryBody) {
	if !hasLetters(body) {
		return
	}
	for _, set := range byteSets {
		if b, ok := set.encode(string(body)); ok && !try(b, set.words) {
			return
		}
	}
}

// fromUTF16 reads UTF-16 of both byte orders, with a mark or without one.
func fromUTF16(body []byte, try tryBody) {
	if len(body) < 2 || len(body)%2 != 0 || !bytes.Contains(body, []byte{0}) {
		return
	}
	for _, big := range []bool{false, true} {
		text := decodeUTF16(body, big)
		if plain := strings.TrimPrefix(text, byteOrderMark); utf8.ValidString(plain) && !try([]byte(plain), "") {
			return
		}
	}
}

func intoUTF16(body []byte, try tryBody) {
	if !utf8.Valid(body) {
		return
	}
	for _, mark := range []string{byteOrderMark, ""} {
		for _, big := range []bool{false, true} {
			if !try(encodeUTF16(mark+string(body), big), "") {
				return
			}
		}
	}
}

func decodeUTF16(text []byte, big bool) string {
	order := byteOrder(big)
	units := make([]uint16, len(text)/2)
	for i := range units {
		units[i] = order.Uint16(text[2*i:])
	}
	return string(utf16.Decode(units))
}

func encodeUTF16(text string, big bool) (out []byte) {
	order := byteOrder(big)
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

type anyOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func byteOrder(big bool) anyOrder {
	if big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
