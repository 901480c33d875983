package tokens

import "testing"

func TestQuoted(t *testing.T) {
	known := []string{"tolerance", "replay", "cryptr"}
	for word, want := range map[string]string{
		"tollerance": ` "tollerance"`, "Cryptr": ` "Cryptr"`, "cripter": ` "cripter"`, "replays": ` "replays"`,
		"emit": ` "emit"`, "sign_downstream": ` "sign_downstream"`,
		"hunterpassword": "", "hunter2": "", "a_secret_of_many_words": "", "": "", "ABCD": "",
	} {
		if got := Quoted(word, known...); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3}, {"ab", "ba", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
