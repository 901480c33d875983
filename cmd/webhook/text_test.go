package webhook

import (
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", `""`},
		{"a\n\"\\\x00ż\u00a0\u202e\xff", `"a\n\"\\\x00ż\u00a0\u202e\xff"`},
		{strings.Repeat("x", 400), `"` + strings.Repeat("x", 400) + `"`},
		{strings.Repeat("x", 401), `"` + strings.Repeat("x", 200) + `" ... 1 byte ... "` + strings.Repeat("x", 200) + `"`},
		// Not cut within a character ...
		{"x" + strings.Repeat("ż", 300), `"x` + strings.Repeat("ż", 99) + `" ... 202 bytes ... "` + strings.Repeat("ż", 100) + `"`},
		{strings.Repeat("€", 200), `"` + strings.Repeat("€", 66) + `" ... 204 bytes ... "` + strings.Repeat("€", 66) + `"`},
		// ... but bytes that are none do not make it lose its place.
		{strings.Repeat("\x80", 401), `"` + strings.Repeat(`\x80`, 197) + `" ... 7 bytes ... "` + strings.Repeat(`\x80`, 197) + `"`},
	} {
		if got := shown([]byte(test.text)); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"":             "",
		"user.created": "user.created",
		"zamówienie 1": "zamówienie 1",
		"a\nb":         `"a\nb"`,
		`a"b`:          `"a\"b"`,
	} {
		if got := plain(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestParseHeaders(t *testing.T) {
	for name, text := range map[string]string{
		"request":       "POST /a:b HTTP/1.1\r\nX-A: 1\r\nx-a:2\r\nB:\t\r\n\r\nC: 3\r\n",
		"answer":        "HTTP/2 200\nX-A: 1\nX-A: 2\nB:\n\nC: 3\n",
		"no first line": "X-A:1\nx-A: 2 \nb: ",
	} {
		h, err := parseHeaders([]byte(text))
		if err != nil || len(h) != 2 || strings.Join(h["X-A"], ",") != "1,2" || strings.Join(h["B"], ",") != "" || len(h["B"]) != 1 {
			t.Errorf("%s: %v, %v", name, h, err)
		}
	}
	for _, text := range []string{"POST /\n", "no header\n", "A : b\n", ": b\n", "A: b\nPOST / HTTP/1.1\n", "> A: b\n"} {
		if h, err := parseHeaders([]byte(text)); err == nil {
			t.Errorf("%q: %v", text, h)
		}
	}
}
