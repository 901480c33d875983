package module

import "testing"

// TestSecretWithAMargin checks that white space, a line end or a byte order
// mark around a secret is logged and is no error, because it may be part of the
// secret.
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
