package providers

import (
	"net/url"
	"slices"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

// FuzzTwilioForm compares with the standard library's form parser, which
// accepts more.
func FuzzTwilioForm(f *testing.F) {
	for _, body := range []string{"", "A=1&B=2", "B=2&A=1&A=0&A=1", "Body=Zo%C3%AB+%26+co", "A=%4", "A=1;B=2", "a=b=c&&=d", `{"a":1}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := appendForm([]byte("url"), body)
		if !ok {
			return
		}
		values, err := url.ParseQuery(string(body))
		if err != nil {
			t.Fatalf("taken, and no form to the standard library: %v", err)
		}
		if !utf8.ValidString(string(got)) {
			return // its order has no meaning
		}
		want := "url"
		names := make([]string, 0, len(values))
		for name := range values {
			names = append(names, name)
		}
		byUTF16 := func(a, b string) int { return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b))) }
		slices.SortFunc(names, byUTF16)
		for _, name := range names {
			for _, value := range slices.Compact(slices.SortedFunc(slices.Values(values[name]), byUTF16)) {
				want += name + value
			}
		}
		if string(got) != want {
			t.Fatalf("%q, want %q", got, want)
		}
		if again, ok := appendForm(nil, []byte(values.Encode())); !ok || string(again) != want[len("url"):] {
			t.Fatalf("written again: %q, %t, want %q", again, ok, want)
		}
	})
}
