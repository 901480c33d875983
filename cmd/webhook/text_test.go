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
		// A text is not cut within a character ...
		{"x" + strings.Repeat("ż", 300), `"x` + strings.Repeat("ż", 99) + `" ... 202 bytes ... "` + strings.Repeat("ż", 100) + `"`},
		{strings.Repeat("€", 200), `"` + strings.Repeat("€", 66) + `" ... 204 bytes ... "` + strings.Repeat("€", 66) + `"`},
		// ... but bytes that are not UTF-8 do not move the cut.
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
