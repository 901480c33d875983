package schemes

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// cut is a URL and a body that are signed as one joined text.
type cut struct{ uri, body string }

// accepts verifies the cut tried with the signature of the cut signed. It
// returns the values by which the history identifies the delivery: its content,
// and its boundaries if a signed text can be cut in several ways.
type accepts func(signed, tried cut) (content, boundaries string, ok bool)

// collisions looks for two cuts of one signed text that a verifier accepts and
// that the history would not recognize as cuts of the same text: their content
// differs, or their content and boundaries are equal. It counts the recognized
// cuts. It tries every border between URL and body, and random texts that
// contain something like a border.
func collisions(verify accepts, deliveries []cut) (found []string, known int) {
	random := rand.New(rand.NewPCG(1, 2)) // so that a failure repeats
	pieces := []string{"{", "}", "{}", `{"a":1}`, "A=1", "&", "B=2", "=", "?", "%7B", "+", "%26", "/", "x"}
	for range 300 {
		d := cut{"/hook", ""}
		for range random.IntN(4) {
			d.uri += pieces[random.IntN(len(pieces))]
			d.body += pieces[random.IntN(len(pieces))]
		}
		deliveries = append(deliveries, d)
	}
	for _, signed := range deliveries {
		content, boundaries, ok := verify(signed, signed)
		if !ok {
			continue
		}
		text := signed.uri + signed.body
		for border := len("/hook"); border <= len(text); border++ {
			tried := cut{text[:border], text[border:]}
			other, otherBoundaries, ok := verify(signed, tried)
			switch {
			case tried == signed || !ok:
			case other == content && otherBoundaries != boundaries:
				known++
			default:
				found = append(found, fmt.Sprintf("%q is also %q", signed, tried))
			}
		}
	}
	return found, known
}

// TestNoCollisionOfURLAndBody moves the border between the URL and the body. As
// a check, the same search finds collisions of a verifier that joins the two
// and requires nothing of the body, as these schemes would without their
// guards.
func TestNoCollisionOfURLAndBody(t *testing.T) {
	const host, secret = "https://h.example", "k"
	deliveries := []cut{
		{"/hook", `{"a":1}`},
		{"/hook?a=b", `{"a":{"b":2}}`},
		{"/hook?x={", `{}`},
		{"/hook?x=%7B", `{"a":1}`},
		{"/hook?{}", `{}`},
		{"/hook", "A=1&B=2"},
		{"/hook?A=1", "B=2"},
		{"/hook?a=b", ""},
		{"/hook?x=A1", "B=2"},
	}
	verifier := func(s Scheme, sign func(d cut) http.Header) accepts {
		v, err := s.NewVerifier([]string{secret}, IgnoreTime())
		if err != nil {
			t.Fatal(err)
		}
		return func(signed, tried cut) (content, boundaries string, ok bool) {
			d, err := v.Begin(Request{Method: http.MethodPost, Scheme: "https", Host: "h.example", URI: tried.uri, Header: sign(signed)})
			if err != nil {
				return "", "", false
			}
			defer d.Close()
			_, _ = d.Write([]byte(tried.body))
			_, err = d.Authenticate()
			return string(d.Content()), string(d.Boundaries()), err == nil
		}
	}
	mac := func(d cut) []byte {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(host + d.uri + d.body))
		return h.Sum(nil)
	}
	square := func(d cut) http.Header {
		return http.Header{"X-Square-Hmacsha256-Signature": {base64.StdEncoding.EncodeToString(mac(d))}}
	}
	defined, err := Definition{
		Signature: SignatureForm{Header: "X-Own-Signature", Encoding: "base64"}, Signed: "{url}{body}", JSONObject: true,
	}.Compile("own")
	if err != nil {
		t.Fatal(err)
	}
	own := func(d cut) http.Header {
		return http.Header{"X-Own-Signature": {base64.StdEncoding.EncodeToString(mac(d))}}
	}
	twilio := func(d cut) http.Header {
		h := hmac.New(sha1.New, []byte(secret))
		h.Write([]byte(host + d.uri + strings.NewReplacer("=", "", "&", "").Replace(d.body)))
		return http.Header{"X-Twilio-Signature": {base64.StdEncoding.EncodeToString(h.Sum(nil))}}
	}
	for name, c := range map[string]struct {
		verify accepts
		cuts   bool // one signed text can have several cuts
	}{
		"square":       {verifier(mustGet(t, "square"), square), false},
		"a definition": {verifier(defined, own), false},
		"twilio":       {verifier(mustGet(t, "twilio"), twilio), true},
	} {
		found, known := collisions(c.verify, deliveries)
		if found != nil {
			t.Errorf("%s: %d collisions, such as %s", name, len(found), found[0])
		}
		if (known > 0) != c.cuts {
			t.Errorf("%s: %d cuts are known for such", name, known)
		}
	}
	unguarded := func(signed, tried cut) (content, boundaries string, ok bool) {
		return tried.body, "", hmac.Equal(mac(signed), mac(tried))
	}
	if found, _ := collisions(unguarded, deliveries); len(found) < 100 {
		t.Errorf("without a guard %d collisions are found", len(found))
	}
	if _, err := (Definition{Signature: SignatureForm{Header: "X-Own-Signature"}, Signed: "{url}{body}"}).Compile("own"); err == nil {
		t.Error("a definition without the guard compiles")
	}
}
