package schemes

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"
)

const twilioToken = "12345"

// twilioRequest returns a request with the signature of a text.
func twilioRequest(scheme, host, uri, text string) Request {
	mac := hmac.New(sha1.New, []byte(twilioToken))
	mac.Write([]byte(text))
	return Request{
		Method: http.MethodPost, Scheme: scheme, Host: host, URI: uri,
		Header: http.Header{"X-Twilio-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}},
	}
}

func verifyTwilio(t testing.TB, r Request, body string) string {
	t.Helper()
	_, err := verifyBy(t, mustGet(t, "twilio"), []string{"another", twilioToken}, r, []byte(body), time.Time{})
	return reasonOf(err)
}

// TestTwilioSigns covers everything that determines the signed text.
func TestTwilioSigns(t *testing.T) {
	digest := func(body string) string {
		sum := sha256.Sum256([]byte(body))
		return hex.EncodeToString(sum[:])
	}
	const url, body = "https://a.example/b", "Z=1&A=2"
	for _, c := range []struct {
		name, scheme, host, uri, body string
		text                          string
		want                          string
	}{
		{"the fields sorted", "https", "a.example", "/b", body, url + "A2Z1", ""},
		{"capitals first", "https", "a.example", "/b", "b=1&B=2&a=3", url + "B2a3b1", ""},
		{"a field without a value", "https", "a.example", "/b", "A=&B", url + "AB", ""},
		{"no field", "https", "a.example", "/b", "", url, ""},
		{"escapes", "https", "a.example", "/b", "Body=Zo%C3%AB+%26+co", url + "BodyZoë & co", ""},
		{"the order of UTF-16", "https", "a.example", "/b", "%EF%BC%81=1&%F0%9F%98%80=2", url + "\U0001f6002\uff011", ""},
		{"values once, sorted", "https", "a.example", "/b", "A=2&A=1&A=2", url + "A1A2", ""},
		{"only the first value", "https", "a.example", "/b", "A=2&A=1", url + "A2", "signature_mismatch"},
		{"the fields as they came", "https", "a.example", "/b", body, url + "Z1A2", "signature_mismatch"},
		{"with https's port", "https", "a.example", "/b", body, "https://a.example:443/bA2Z1", ""},
		{"with http's port", "http", "a.example", "/b", body, "http://a.example:80/bA2Z1", ""},
		{"with the other one's port", "https", "a.example", "/b", body, "https://a.example:80/bA2Z1", "signature_mismatch"},
		{"without the port it came to", "https", "a.example:8443", "/b", body, url + "A2Z1", ""},
		{"with the port it came to", "https", "a.example:8443", "/b", body, "https://a.example:8443/bA2Z1", ""},
		{"with another port", "https", "a.example:8443", "/b", body, "https://a.example:443/bA2Z1", "signature_mismatch"},
		{"an IPv6 address", "http", "[::1]", "/b", body, "http://[::1]:80/bA2Z1", ""},
		{"an IPv6 address and a port", "http", "[::1]:81", "/b", body, "http://[::1]/bA2Z1", ""},
		{"another host", "https", "b.example", "/b", body, url + "A2Z1", "signature_mismatch"},
		{"another scheme", "http", "a.example", "/b", body, url + "A2Z1", "signature_mismatch"},
		{"a URL with a brace", "https", "a.example", "/{b", body, "https://a.example/{bA2Z1", ""},
		{"a URL with a control character", "https", "a.example", "/\x01b", body, "https://a.example/\x01bA2Z1", "malformed_signed_header"},

		{"a digest", "https", "a.example", "/b?bodySHA256=" + digest(`{"a":1}`), `{"a":1}`, url + "?bodySHA256=" + digest(`{"a":1}`), ""},
		{"a digest behind a query", "https", "a.example", "/b?c&bodySHA256=" + digest("x y"), "x y", url + "?c&bodySHA256=" + digest("x y"), ""},
		{"a digest with a port", "https", "a.example", "/b?bodySHA256=" + digest("{}"), "{}", "https://a.example:443/b?bodySHA256=" + digest("{}"), ""},
		{"a digest of another body", "https", "a.example", "/b?bodySHA256=" + digest("{}"), "{ }", url + "?bodySHA256=" + digest("{}"), "signature_mismatch"},
		{"a digest in capitals", "https", "a.example", "/b?bodySHA256=" + strings.ToUpper(digest("{}")), "{}", url + "?bodySHA256=" + strings.ToUpper(digest("{}")), "signature_mismatch"},
		{"a digest not at the end", "https", "a.example", "/b?bodySHA256=" + digest("{}") + "&c", "{}", url + "?bodySHA256=" + digest("{}") + "&c", "signature_mismatch"},
		{"a digest not at the end, and no body", "https", "a.example", "/b?bodySHA256=" + digest("{}") + "&c", "", url + "?bodySHA256=" + digest("{}") + "&c", "signature_mismatch"},
		{"a digest in the value of another parameter", "https", "a.example", "/b?c=?bodySHA256=" + digest("{}"), "{}", url + "?c=?bodySHA256=" + digest("{}"), "signature_mismatch"},
		{"a digest behind no question mark", "https", "a.example", "/b&bodySHA256=" + digest("{}"), "{}", url + "&bodySHA256=" + digest("{}"), "signature_mismatch"},
		{"a digest under a longer name", "https", "a.example", "/b?xbodySHA256=" + digest("{}"), "{}", url + "?xbodySHA256=" + digest("{}"), "signature_mismatch"},
		{"a digest, and the fields signed too", "https", "a.example", "/b?bodySHA256=" + digest("A=1"), "A=1", url + "?bodySHA256=" + digest("A=1") + "A1", "signature_mismatch"},

		{"JSON read as a form", "https", "a.example", "/b", `{"a":1}`, url + `{"a":1}`, "signature_mismatch"},
		{"half an escape", "https", "a.example", "/b", "A=%4", url + "A%4", "signature_mismatch"},
		{"a separator that some parsers know", "https", "a.example", "/b", "A=1;B=2", url + "A1;B=2", "signature_mismatch"},
		{"as many fields as there may be", "https", "a.example", "/b", strings.Repeat("&A=1", 256), url + "A1", ""},
		{"more fields", "https", "a.example", "/b", strings.Repeat("&A=1", 257), url + "A1", "signature_mismatch"},
	} {
		if got := verifyTwilio(t, twilioRequest(c.scheme, c.host, c.uri, c.text), c.body); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestTwilioRecut: every request that can be made from a delivery without the
// token is the same event to the history.
func TestTwilioRecut(t *testing.T) {
	const text = "https://a.example/b?c=1Body2From3"
	v, err := mustGet(t, "twilio").NewVerifier([]string{twilioToken})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ host, uri, body string }{
		{"a.example", "/b?c=1", "Body=2&From=3"},
		{"a.example", "/b?c=1", "From=3&Body=2&Body=2"},
		{"a.example", "/b?c=1", "Body2From3"},
		{"a.example", "/b?c=1", "Body=2From3"},
		{"a.example", "/b?c=1Body2From3", ""},
		{"a.example:443", "/b?c=1", "From=3&Body=2"},
	} {
		d, err := v.Begin(twilioRequest("https", c.host, c.uri, text))
		if err != nil {
			t.Fatal(err)
		}
		d.Write([]byte(c.body))
		if _, err := d.Authenticate(); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		if got := string(d.Content()); got != text || len(d.SignedHeaders.Identity) > 0 {
			t.Errorf("%+v: known by %q and %q", c, got, d.SignedHeaders.Identity)
		}
		d.Close()
	}
}

func TestTwilioSigner(t *testing.T) {
	to := Request{Scheme: "https", Host: "a.example", URI: "/b"}
	for _, c := range []struct {
		out  Delivery
		want string
	}{
		{Delivery{Body: []byte("A=1")}, "signs the URL; give it"},
		{Delivery{Body: []byte("A=1"), Request: to, Event: "x"}, "no event type"},
		{Delivery{Body: []byte("{}"), Request: to}, "end the URL with bodySHA256=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
		{Delivery{Body: []byte("A=1"), Request: Request{Scheme: "https", Host: "a.example", URI: "/\n"}}, "no server passes on"},
	} {
		if _, err := mustGet(t, "twilio").SignWith(twilioToken, c.out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.out, err, c.want)
		}
	}
	h, err := mustGet(t, "twilio").SignWith(twilioToken, Delivery{Body: []byte("A=1"), Request: to, ID: "token"})
	if err != nil || h.Get("I-Twilio-Idempotency-Token") != "token" {
		t.Errorf("%v, %v", h, err)
	}
}
