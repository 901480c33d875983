package schemes_test

import (
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// TestWordsFitTheKey: no error calls every signature a MAC, and none tells
// users to write a secret as the provider shows it, because they copied it from
// there.
func TestWordsFitTheKey(t *testing.T) {
	for _, scheme := range schemes.All() {
		for _, secret := range []string{"k", "whsec_polar_AbCdEfGh1234567890", "whsec_AAAA", "whpk_AAAA", strings.Repeat("a", 63), "-----BEGIN PUBLIC KEY-----"} {
			if _, err := scheme.NewVerifier([]string{secret}); err != nil && strings.Contains(err.Error(), "as the provider shows it") {
				t.Errorf("%s: %v", scheme.Name(), err)
			}
		}
	}
	standard, _ := schemes.Get("standard")
	if _, err := standard.NewVerifier([]string{"whsec_polar.AbCdEfGh1234567890"}); err == nil || !strings.Contains(err.Error(), "key text") {
		t.Errorf("%v", err)
	}
}
