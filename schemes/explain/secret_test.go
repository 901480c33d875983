package explain

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// TestSecret signs with a key and verifies with a secret that contains a
// mistake.
func TestSecret(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString(rawKey)
	everyScheme(t, hmacs, func(t *testing.T, s specimen) {
		for _, c := range []struct {
			name       string
			key        string // the key that signs
			configured string // the configured secret; empty: the correct one
			want       []string
			text       bool // whether the mistake concerns text keys or the others
		}{
			{"decoded from base64", string(rawKey), b64, []string{"decodes the secret from base64"}, true},
			{"decoded from unpadded base64", string(rawKey), base64.RawURLEncoding.EncodeToString(rawKey), []string{"decodes the secret from base64"}, true},
			{"decoded from whsec_", string(rawKey), whsec + b64, []string{"decodes the secret from base64"}, true},
			{"decoded from hex", string(rawKey), hex.EncodeToString(rawKey), []string{"decodes the secret from hex"}, true},
			{"without whsec_", "key", whsec + "key", []string{"the sender's key is the secret without the whsec_"}, true},
			{"whsec_ forgotten", whsec + "key", "key", []string{"the secret lacks the whsec_"}, true},
			{"a line end behind it", "key", "key\n", []string{"the secret has blanks or line ends around it"}, true},
			{"blanks around it", "key", " \tkey\r\n", []string{"the secret has blanks or line ends around it"}, true},
			{"quotes around it", "key", `"key"`, []string{"the secret has quotes around it"}, true},
			{"single quotes around it", "key", `'key'`, []string{"the secret has quotes around it"}, true},
			{"signed with a line end", "key\n", "key", []string{"the sender's secret has a line end behind it"}, true},
			{"signed with CR LF", "key\r\n", "key", []string{"the sender's secret has a line end behind it"}, true},
			{"signed with quotes", `"key"`, "key", []string{"the sender's secret has quotes around it"}, true},
			{
				"a blank, and decoded", string(rawKey), " " + hex.EncodeToString(rawKey) + " ",
				[]string{"the secret has blanks or line ends around it", "decodes the secret from hex"},
				true,
			},
			{"decoded as hex", string(rawKey), hexSecret(s), []string{"the sender decodes the secret from hex, and this scheme decodes it otherwise"}, false},
			{"not decoded", b64, "", []string{"the sender signs with the text of the secret"}, false},
		} {
			if s.isText() != c.text {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				signing, ok := s.secretOf([]byte(c.key))
				if !ok {
					t.Fatalf("%s has no secret with this key", s.scheme.Name())
				}
				d, ok := s.signed(signing, s.text, request)
				if !ok {
					t.Fatal("cannot sign")
				}
				if c.configured != "" {
					d.Secrets = []string{c.configured}
				} else if d.Secrets[0], ok = s.secretOf(rawKey); !ok {
					t.Fatal("no secret")
				}
				d.expect(t, c.want...)
			})
		}
	})
}

// hexSecret is a secret that is base64 by chance.
func hexSecret(s specimen) string {
	text := hex.EncodeToString(rawKey)
	if strings.HasPrefix(s.secret, whsec) {
		return whsec + text
	}
	return text
}

// TestOneOfTheSecrets: the finding names the secret that it concerns.
func TestOneOfTheSecrets(t *testing.T) {
	craneops, _ := schemes.Get("craneops")
	d := specimenOf(t, craneops).delivery(t)
	d.Secrets = []string{"another", d.Secrets[0] + "\n"}
	d.expect(t, "secret 2: the secret has blanks or line ends around it")
}

// TestSecretAndMore: two mistakes at once.
func TestSecretAndMore(t *testing.T) {
	everyScheme(t, textKeys, func(t *testing.T, s specimen) {
		d := s.delivery(t)
		d.Secrets[0] += "\n"
		d.Body = append(d.Body, '\n')
		d.expect(t, "the secret has blanks or line ends around it", "the body has a line end at its end")
	})
}

// TestUnreadable: findings for secrets that cannot be read.
func TestUnreadable(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString(rawKey)
	for _, c := range []struct{ scheme, secret, want string }{
		{"mceasy", `"` + b64 + `"`, "the secret has quotes around it"},
		{"mceasy", whsec + b64, "the sender's key is the secret without the whsec_"},
		{"standard", b64, "the secret lacks the whsec_"},
		{"standard", "no base64", ""},
	} {
		scheme, _ := schemes.Get(c.scheme)
		secrets := []string{c.secret}
		_, err := scheme.NewVerifier(secrets)
		if err == nil {
			t.Fatalf("%s reads %q", c.scheme, c.secret)
		}
		found := (&Delivery{Scheme: scheme, Secrets: secrets}).UnreadableSecret(err)
		if c.want == "" && found != nil || c.want != "" && (len(found) != 1 || !strings.HasPrefix(found[0].What, c.want)) {
			t.Errorf("%s %q: %+v, want %q", c.scheme, c.secret, found, c.want)
		}
	}
}
