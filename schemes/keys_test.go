package schemes

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// keyPair is a key in one of its forms: the secret that verifies and the one
// that signs.
type keyPair struct{ algorithm, form, public, private string }

// keyPairs returns a pair for every algorithm in every form.
func keyPairs(t testing.TB) []keyPair {
	b64 := base64.StdEncoding.EncodeToString
	key := []byte("0123456789abcdef01234567")
	var pairs []keyPair
	for a := HMACSHA256; a <= HMACSHA512; a++ {
		for form, secret := range map[string]string{"text": "secret", "base64": b64(key), "hex": hex.EncodeToString(key), "whsec_": "whsec_" + b64(key)} {
			pairs = append(pairs, keyPair{a.String(), form, secret, secret})
		}
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	both := func(algorithm string, public, private any) {
		spki, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			t.Fatal(err)
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs,
			keyPair{algorithm, "pem", block("PUBLIC KEY", spki), block("PRIVATE KEY", pkcs8)},
			keyPair{algorithm, "spki", b64(spki), b64(pkcs8)})
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	both("ed25519", public, private)
	pairs = append(pairs,
		keyPair{"ed25519", "hex", hex.EncodeToString(public), hex.EncodeToString(private.Seed())},
		keyPair{"ed25519", "base64", b64(public), b64(private)},
		keyPair{"ed25519", "whpk_", "whpk_" + b64(public), "whsk_" + b64(private.Seed())})
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	both("ecdsa-p256", &curve.PublicKey, curve)
	return pairs
}

// definitionFor returns a scheme that signs values before and after the body.
func definitionFor(k keyPair, encoding string) string {
	return fmt.Sprintf(`{"algorithm":%q,"key":%q,"signature":{"header":"X-S","encoding":%q},"signed":"{timestamp}.{body}.{id}",
		"timestamp":{"header":"X-T"},"id":{"header":"X-I"}}`, k.algorithm, k.form, encoding)
}

// TestEveryKeySignsWhatItVerifies also checks that Signed returns the bytes
// that are signed, and that the position of the key makes no difference.
func TestEveryKeySignsWhatItVerifies(t *testing.T) {
	body, at := []byte(`{"a":1}`), time.Unix(1760000000, 0)
	pairs := keyPairs(t)
	for i, k := range pairs {
		for _, encoding := range []string{"hex", "base64", "base64url"} {
			name := k.algorithm + " " + k.form + " " + encoding
			s := mustCompile(t, definitionFor(k, encoding))
			h, err := s.SignWith(k.private, Delivery{Body: body, At: at, ID: "e1"})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			v, err := s.NewVerifier([]string{strings.TrimSuffix(k.public, "\n")}) // as {file.PATH} returns it
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			d, err := v.Begin(Request{Header: h})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			d.Write(body)
			if secret, err := d.Authenticate(); secret != 1 || err != nil {
				t.Errorf("%s: secret %d, %v", name, secret, err)
			}
			if signed, err := d.Signed(); string(signed) != `1760000000.{"a":1}.e1` || err != nil {
				t.Errorf("%s: signed %q, %v", name, signed, err)
			}
			d.Close()
			for _, again := range keyPairs(t)[i : i+1] { // another key of the same kind
				secrets := []string{again.public, k.public}
				if k.algorithm[0] == 'h' {
					continue // those keys are fixed
				}
				if _, err := verifyBy(t, s, secrets, Request{Header: h}, body, at); err != nil {
					t.Errorf("%s behind another key: %v", name, err)
				}
				if _, err := verifyBy(t, s, secrets[:1], Request{Header: h}, body, at); reasonOf(err) != "signature_mismatch" {
					t.Errorf("%s with another key: %v", name, err)
				}
			}
		}
	}
}

func TestKeyErrors(t *testing.T) {
	pairs := map[string]keyPair{}
	for _, k := range keyPairs(t) {
		pairs[k.algorithm+" "+k.form] = k
	}
	canary := "canarycanary"
	for _, c := range []struct{ algorithm, form, secret, want string }{
		{"hmac-sha1", "text", "", "is empty"},
		{"hmac-sha1", "base64", canary + "!", "is not base64"},
		{"hmac-sha1", "base64", "YQ=\n=", "is not base64"},
		{"hmac-sha1", "base64", "YQ", "is not base64"},
		{"hmac-sha1", "hex", canary, "is not hex"},
		{"hmac-sha256", "whsec_", canary, "does not begin with whsec_"},
		{"hmac-sha256", "whsec_", "whsec_" + canary, "has 9 bytes in base64 after whsec_, and a key has 16 to 128"},
		{"hmac-sha256", "whsec_", "whsec_" + strings.Repeat("A", 172), "has 129 bytes in base64 after whsec_, and a key has 16 to 128"},
		{"hmac-sha256", "whsec_", "whsec_" + canary + "!", "is not whsec_ with base64"},
		{"ed25519", "hex", "abcd", "is not an ed25519 public key, which has 32 bytes"},
		{"ed25519", "pem", pairs["ecdsa-p256 pem"].public, "is not the public key (SPKI) of ed25519"},
		{"ecdsa-p256", "pem", pairs["ed25519 pem"].public, "is not the public key (SPKI) of ecdsa-p256"},
		{"ecdsa-p256", "pem", pairs["ecdsa-p256 pem"].private, "is not the public key"},
		{"ecdsa-p256", "pem", pairs["ecdsa-p256 pem"].public + canary, "is not one key in PEM"},
		{"ecdsa-p256", "pem", canary, "is not one key in PEM"},
		{"ecdsa-p256", "spki", canary, "is not the public key"},
	} {
		s := mustCompile(t, definitionFor(keyPair{algorithm: c.algorithm, form: c.form}, ""))
		_, err := s.NewVerifier([]string{c.secret})
		var secretErr *SecretError
		if !errors.As(err, &secretErr) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%s %s: %v, want %q", c.algorithm, c.form, err, c.want)
		}
	}
	for name, want := range map[string]string{
		"ed25519 whpk_": "write whsk_", "ed25519 pem": "signing takes", "ecdsa-p256 spki": "signing takes",
	} {
		k := pairs[name]
		s := mustCompile(t, definitionFor(k, ""))
		if _, err := s.SignWith(k.public, Delivery{At: time.Unix(1, 0), ID: "e"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: signed with a public key: %v", name, err)
		}
	}
	k := pairs["ed25519 hex"]
	s := mustCompile(t, definitionFor(k, ""))
	if _, err := s.NewVerifier([]string{k.public, k.public, k.public, k.public, k.public}); err == nil || !strings.Contains(err.Error(), "5 public keys; write 4 or fewer") {
		t.Errorf("five public keys: %v", err)
	}
	standard, _ := Get("standard")
	if _, err := standard.NewVerifier([]string{canary}); err == nil || !strings.Contains(err.Error(), "begins with none of whsec_, whpk_; write the whole secret") {
		t.Errorf("%v", err)
	}
}

// TestKeysAsTheyAreHandedOut: white space and a byte order mark around a key
// are not part of it, and each form of base64 that the libraries of Standard
// Webhooks accept yields the same key.
func TestKeysAsTheyAreHandedOut(t *testing.T) {
	key := make([]byte, 25)
	for i := range key {
		key[i] = byte(255 - i*9)
	}
	standard, _ := Get("standard")
	std, url := base64.StdEncoding.EncodeToString(key), base64.URLEncoding.EncodeToString(key)
	for _, secret := range []string{
		"whsec_" + std, "whsec_" + strings.TrimRight(std, "="), "whsec_" + url, "whsec_" + strings.TrimRight(url, "="),
		"v1,whsec_" + std, " whsec_" + std + "\r\n", "\ufeffwhsec_" + std,
	} {
		keys, err := standard.Keys(secret)
		if err != nil || len(keys) != 1 || !bytes.Equal(keys[0].Secret, key) {
			t.Errorf("%q: %v, %v", secret, keys, err)
		}
	}
	for _, secret := range []string{"whsec_" + std[:len(std)-1], "whsec_" + std + "=", "whsec_" + std[:8] + "\n" + std[8:], "whsec_", std} {
		if _, err := standard.Keys(secret); err == nil {
			t.Errorf("%q is taken", secret)
		}
	}
	for _, n := range []int{15, 16, 128, 129} {
		_, err := standard.Keys("whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), n)))
		if (err == nil) != (n == 16 || n == 128) || err != nil && !strings.Contains(err.Error(), fmt.Sprint(n)) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for _, k := range keyPairs(t) {
		if k.form != "pem" {
			continue
		}
		for _, form := range map[string][]string{"ed25519": {"hex", "base64", "whpk_", "pem", "spki"}, "ecdsa-p256": {"spki", "pem"}}[k.algorithm] {
			s := mustCompile(t, definitionFor(keyPair{algorithm: k.algorithm, form: form}, ""))
			if _, err := s.NewVerifier([]string{"\ufeff" + k.public + "\n"}); err != nil {
				t.Errorf("PEM for %s %s: %v", k.algorithm, form, err)
			}
		}
	}
}
