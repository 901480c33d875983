package schemes

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"net/http"
	"testing"
	"time"
)

// reversed signs a text that no template can express: the URL followed by the
// reversed body.
func reversed() Implementation {
	text := func(dst []byte, c *SignedHeaders, body []byte, candidate int) ([]byte, error) {
		if len(body) == 0 {
			return nil, Refuse(SignatureMismatch, "nothing to turn round")
		}
		dst = append(dst, c.Prefix...)
		if candidate == 1 {
			return append(dst, body...), nil
		}
		for i := range body {
			dst = append(dst, body[len(body)-1-i])
		}
		return dst, nil
	}
	return Implementation{
		Name: "reversed", SignatureHeader: "X-S", SignsRequest: true,
		Keys: func(secret string) ([]Key, error) {
			return []Key{{Algorithm: HMACSHA1, Secret: []byte(secret)}}, nil
		},
		Begin: func(r Request, c *SignedHeaders) error {
			c.Prefix = append(c.Prefix, r.URL()...)
			if !c.AddHex(r.Header.Get("X-S"), sha1.Size, 0) {
				return Refuse(MalformedSignature, "not hex")
			}
			return nil
		},
		SignedText: text,
		Read:       func(*SignedHeaders, []byte) Event { return Event{ID: "not an id"} },
		Sign: func(key Key, d Delivery) (http.Header, error) {
			return nil, errors.New("unused")
		},
	}
}

func compiled(t *testing.T, i Implementation) Scheme {
	t.Helper()
	s, err := i.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSignedText(t *testing.T) {
	// printf 'https://a/bcba' | openssl dgst -sha1 -hmac k
	const mac = "538eaf10a3bd1f513e23a633cead95e1c58acf71"
	s := compiled(t, reversed())
	r := Request{Scheme: "https", Host: "a", URI: "/b", Header: http.Header{"X-S": {mac}}}
	for _, secrets := range [][]string{{"k"}, {"other", "k"}} {
		facts, err := verifyBy(t, s, secrets, r, []byte("abc"), time.Time{})
		if err != nil || facts.ID != "" {
			t.Errorf("%v, facts %+v", err, facts)
		}
	}
	for _, body := range []string{"cba", "ab", "abcd"} {
		if _, err := verifyBy(t, s, []string{"k"}, r, []byte(body), time.Time{}); reasonOf(err) != "signature_mismatch" {
			t.Errorf("%q: %v", body, err)
		}
	}
	_, err := verifyBy(t, s, []string{"k"}, r, nil, time.Time{})
	if refusal, ok := err.(Refusal); !ok || refusal.Detail() != "nothing to turn round" { //nolint:errorlint // exactly this type
		t.Errorf("%v", err)
	}
	v, err := s.NewVerifier([]string{"k"})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{"abc", "xyz", "abc"} { // no state of one delivery is left for the next
		d, err := v.Begin(r)
		if err != nil {
			t.Fatal(err)
		}
		d.Write([]byte(body))
		_, err = d.Authenticate()
		signed, _ := d.Signed()
		if (err == nil) != (body == "abc") || !bytes.HasPrefix(signed, []byte("https://a/b")) || len(signed) != len("https://a/b")+3 {
			t.Errorf("%q: %v, signed %q", body, err, signed)
		}
		d.Close()
	}
}

// TestCandidates: any one of the texts may have been signed, each is tried with
// each secret, and the one that matches is the identity.
func TestCandidates(t *testing.T) {
	// printf 'https://a/babc' | openssl dgst -sha1 -hmac k
	const turned, plain = "538eaf10a3bd1f513e23a633cead95e1c58acf71", "0df850d01b0b62270d484872a7b3ce74ae6da20b"
	i := reversed()
	i.Candidates = 2
	s := compiled(t, i)
	for _, secrets := range [][]string{{"k"}, {"other", "k"}} {
		v, err := s.NewVerifier(secrets)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ mac, body, signed string }{
			{plain, "abc", "https://a/babc"},
			{turned, "abc", "https://a/bcba"},
			{plain, "cba", "https://a/babc"},
			{plain, "abd", ""},
		} {
			d, err := v.Begin(Request{Scheme: "https", Host: "a", URI: "/b", Header: http.Header{"X-S": {c.mac}}})
			if err != nil {
				t.Fatal(err)
			}
			d.Write([]byte(c.body))
			secret, err := d.Authenticate()
			switch {
			case c.signed == "" && reasonOf(err) != "signature_mismatch":
				t.Errorf("%q: %v", c.body, err)
			case c.signed != "" && (err != nil || secret != len(secrets) || string(d.Content()) != c.signed):
				t.Errorf("%q: secret %d, %v, identity %q, want %q", c.body, secret, err, d.Content(), c.signed)
			}
			d.Close()
		}
	}
}

func TestASecretWithoutKeys(t *testing.T) {
	i := reversed()
	i.Keys = func(string) ([]Key, error) { return nil, nil }
	s := compiled(t, i)
	if _, err := s.NewVerifier([]string{"k"}); err == nil {
		t.Error("a verifier without a key")
	}
	if _, err := s.SignWith("k", Delivery{}); err == nil {
		t.Error("signed without a key")
	}
}
