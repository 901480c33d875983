package schemes

import (
	"encoding/hex"
	"strings"
	"testing"
)

// TestKeysThatAnybodyHas: keys with which anyone could sign are rejected.
func TestKeysThatAnybodyHas(t *testing.T) {
	own := func(d Definition) Scheme {
		d.Signature.Header = "X-Own"
		s, err := d.Compile("own")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	get := func(name string) Scheme { s, _ := Get(name); return s }
	pem := "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----"
	for name, c := range map[string]struct {
		scheme Scheme
		secret string
		want   string
	}{
		"blank":                         {get("github"), " \t", "white space"},
		"line end":                      {get("github"), "\n", "white space"},
		"zero":                          {own(Definition{Key: "hex"}), "00", "is empty"},
		"zeros in base64":               {get("mceasy"), "AAAA", "is empty"},
		"a public key as text":          {own(Definition{}), pem, "is a public key"},
		"a public key of whpk_":         {get("stripe"), "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=", "is a public key"},
		"the neutral point":             {get("discord"), "01" + strings.Repeat("00", 31), "no public key of anybody"},
		"a point of order 4":            {get("discord"), strings.Repeat("00", 32), "no public key of anybody"},
		"a point of order 2":            {get("discord"), "ec" + strings.Repeat("ff", 30) + "7f", "no public key of anybody"},
		"a point of order 8":            {get("discord"), "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "no public key of anybody"},
		"a point of order 8, the other": {get("discord"), "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "no public key of anybody"},
	} {
		if _, err := c.scheme.NewVerifier([]string{c.secret}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, secret := range map[string]string{
		"github":  " a secret with blanks ",
		"discord": hex.EncodeToString(mustDecode(t, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")), // RFC 8032
	} {
		if _, err := get(name).NewVerifier([]string{secret}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func mustDecode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
