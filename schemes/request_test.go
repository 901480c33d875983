package schemes

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
)

// TestHostWithAPath: a signed URL can be cut into host and path in only one
// place.
func TestHostWithAPath(t *testing.T) {
	for name, body := range map[string][]byte{"square": []byte(`{"a":1}`), "twilio": []byte("a=1")} {
		scheme, _ := Get(name)
		whole := Request{Method: "POST", Scheme: "https", Host: "h", URI: "/hooks/x"}
		header, err := scheme.SignWith("secret", Delivery{Body: body, Request: whole})
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := scheme.NewVerifier([]string{"secret"})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []Request{whole, {Host: "h/hooks", URI: "/x"}, {Host: "h/hooks/x", URI: ""}, {Host: "", URI: "h/hooks/x"}} {
			r.Header, r.Method, r.Scheme = header, whole.Method, whole.Scheme
			accepted := false
			if d, err := verifier.Begin(r); err == nil {
				_, _ = d.Write(body)
				_, err = d.Authenticate()
				accepted = err == nil
				d.Close()
			}
			if want := r.Host == whole.Host; accepted != want {
				t.Errorf("%s: %q %q accepted: %v", name, r.Host, r.URI, accepted)
			}
		}
	}
}

// TestBareHostInAHeader: a URL without a path is signed without the slash that
// HTTP sends. Where a signed header holds the same URL, its slash stays.
func TestBareHostInAHeader(t *testing.T) {
	scheme, err := Definition{
		Signature: SignatureForm{Header: "X-S"}, Signed: "{header.X-Target}\n{url}\n{body}",
	}.Compile("acme")
	if err != nil {
		t.Fatal(err)
	}
	const body = "{}"
	sent := func(target, uri string) Request {
		return Request{Method: "POST", Scheme: "http", Host: "h", URI: uri, Header: http.Header{"X-Target": {target}}}
	}
	signature := func(target, url string) string {
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write([]byte(target + "\n" + url + "\n" + body))
		return hex.EncodeToString(mac.Sum(nil))
	}
	verifier, err := scheme.NewVerifier([]string{"secret"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		target, uri, signature string
		want                   bool
	}{
		{"http://h", "/", signature("http://h", "http://h"), true},
		{"http://h/", "/", signature("http://h/", "http://h"), true},
		{"http://h/", "/", signature("http://h/", "http://h/"), true},
		{"http://h/", "/", signature("http://h", "http://h/"), false},
		{"http://h", "/", signature("http://h/", "http://h"), false},
		{"http://h", "/x", signature("http://h", "http://h"), false},
	} {
		r := sent(c.target, c.uri)
		r.Header.Set("X-S", c.signature)
		d, err := verifier.Begin(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = d.Write([]byte(body))
		_, err = d.Authenticate()
		d.Close()
		if (err == nil) != c.want {
			t.Errorf("%q %q: %v, want accepted: %v", c.target, c.uri, err, c.want)
		}
	}
}
