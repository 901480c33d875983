package module

import "testing"

// TestSecretWithAMargin: white space, a line end and a byte order mark around a
// secret are told, and are no error: they can be a part of it.
func TestSecretWithAMargin(t *testing.T) {
	for secret, want := range map[string]bool{
		"k": false, "k k": false, "\u00e9": false,
		"k\n": true, "k\r\n": true, "k ": true, " k": true, "\tk": true, "\ufeffk": true, "k\n\n": true,
	} {
		if hasMargin(secret) != want {
			t.Errorf("%q: %t", secret, !want)
		}
	}
}
