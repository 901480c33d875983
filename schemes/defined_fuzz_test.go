package schemes

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// FuzzDefinition compiles arbitrary definitions. Nothing panics, the same
// definition always compiles to the same result, and a compiled scheme begins,
// signs and reads without a panic.
func FuzzDefinition(f *testing.F) {
	for _, s := range []string{
		`{"signature":{"header":"X-S"}}`,
		`{"signature":{"header":"X-S","separator":",","names":["v1"]},"signed":"{timestamp}.{body}","timestamp":{"field":"t"}}`,
		`{"variants":[{"name":"v1","key":"whsec_"},{"name":"v1a","algorithm":"ed25519","key":"whpk_"}],"signature":{"header":"W","separator":" ","assign":","},
		  "signed":"{id}.{timestamp}.{body}","id":{"header":"I"},"timestamp":{"header":"T","unit":"rfc3339"},"aliases":[{"W":"A","I":"B","T":"C"}]}`,
		`{"algorithm":"ecdsa-p256","signature":{"header":"X-S","encoding":"base64url"},"signed":"{url}{body}","json_object":true,"event":{"header":"X-E","body":"a.b"}}`,
		`{"signature":{"header":"X-S"},"signed":"{method} {header.X-E}\n{body}\n{id}","id":{"header":"X-I"},"event":{"header":"X-E"},"tenant":"a.b.c"}`,
	} {
		f.Add([]byte(s), "v1=00", "1", []byte(`{"a":{"b":"c"}}`))
	}
	f.Fuzz(func(t *testing.T, definition []byte, signature, other string, body []byte) {
		var d, again Definition
		if json.Unmarshal(definition, &d) != nil || json.Unmarshal(definition, &again) != nil {
			return
		}
		s, err := d.Compile("own")
		if _, err2 := again.Compile("own"); (err == nil) != (err2 == nil) || err != nil && err.Error() != err2.Error() {
			t.Fatalf("%v, and then %v", err, err2)
		}
		if err != nil {
			return
		}
		h := http.Header{s.SignatureHeader(): {signature}}
		for _, name := range append(s.SignedHeaders(), s.UnsignedHeaders()...) {
			h[name] = []string{other}
		}
		for _, secret := range []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", other} {
			v, err := s.NewVerifier([]string{secret})
			if err != nil {
				continue
			}
			if d, err := v.Begin(Request{Header: h, Method: "POST", Scheme: "https", Host: "a", URI: "/"}); err == nil {
				d.Write(body)
				if _, err := d.Verify(); err != nil && !slices.Contains([]string{"signature_mismatch", "no_signed_time", "stale", "future"}, reasonOf(err)) {
					t.Fatal(err)
				}
				d.Close()
			} else if !strings.HasPrefix(reasonOf(err), "m") {
				t.Fatalf("refused with %v", err)
			}
		}
	})
}

// fuzzed are schemes that together cover every place, unit and form, and every
// algorithm with a short key.
var fuzzed = []string{
	`{"algorithm":"hmac-sha1","signature":{"header":"X-S","encoding":"base64"},"signed":"{url}|{body}"}`,
	`{"algorithm":"hmac-sha512","signature":{"header":"X-S","separator":";","names":["h1"]},"signed":"{timestamp}:{body}","timestamp":{"field":"ts"}}`,
	`{"algorithm":"hmac-sha384","signature":{"header":"X-S","prefix":"v0="},"signed":"{body}.{timestamp}","timestamp":{"header":"X-T","unit":"ms"}}`,
	`{"signature":{"header":"X-S","encoding":"base64url"},"signed":"{timestamp}{body}.{id}","timestamp":{"header":"X-T","unit":"rfc3339"},"id":{"header":"X-I"}}`,
	`{"signature":{"header":"X-S"},"signed":"{method}\n{header.X-A}\n{id}\n{body}","id":{"header":"X-I"},"event":{"header":"X-A"}}`,
	`{"signature":{"header":"X-S"},"signed":"{url}{body}","json_object":true}`,
}

// fuzzedSample returns a delivery with the values that the headers of one of
// them need.
func fuzzedSample(s Scheme) Delivery {
	out := Delivery{Request: Request{Method: "POST", Scheme: "https", Host: "a", URI: "/b", Header: http.Header{"X-A": {"paid"}}}}
	if strings.Contains(s.SignedBytes(), "{id}") {
		out.ID = "e1"
	}
	return out
}

// FuzzDefinedSchemes signs a delivery and changes it. The delivery must be
// accepted if and only if its signed text is still the same. The test builds
// that text independently, from the single values.
func FuzzDefinedSchemes(f *testing.F) {
	for which := range fuzzed {
		f.Add(uint8(which), []byte(`{"a":1}`), "e1", "paid", "/a?b", uint16(3), uint8(0))
		f.Add(uint8(which), []byte(`{"a":1}`), "e1", "paid", "/a?b", uint16(9), uint8(3))
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte, id, value, uri string, bit uint16, target uint8) {
		s := mustCompile(t, fuzzed[int(which)%len(fuzzed)])
		at := time.UnixMilli(1760000000000)
		r := Request{Method: "POST", Scheme: "https", Host: "a", URI: uri, Header: http.Header{"X-A": {value}}}
		out := Delivery{Body: body, At: at, Request: r}
		if strings.Contains(s.SignedBytes(), "{id}") {
			out.ID = id
		}
		h, err := s.SignWith("key", out)
		if err != nil {
			return // the scheme cannot sign this delivery
		}
		r.Header = h
		text := signedBy(s, r, body)
		if _, err := verifyBy(t, s, []string{"key"}, r, body, at); err != nil {
			if s.BodyBegins() == "" || bytes.HasPrefix(body, []byte(s.BodyBegins())) {
				t.Fatalf("honest delivery refused: %v", err)
			}
			return
		}

		flip := func(b []byte) {
			if len(b) > 0 {
				b[int(bit/8)%len(b)] ^= 1 << (bit % 8)
			}
		}
		flipText := func(s string) string { b := []byte(s); flip(b); return string(b) }
		body = bytes.Clone(body)
		switch target % 5 {
		case 0:
			flip(body)
		case 1:
			r.URI = flipText(r.URI)
		case 2:
			r.Method = flipText(r.Method)
		default:
			names := s.SignedHeaders()
			if len(names) == 0 {
				return
			}
			name := names[int(bit)%len(names)]
			h[name] = []string{flipText(h[name][0])}
		}
		_, err = verifyBy(t, s, []string{"key"}, r, body, at)
		if changed := signedBy(s, r, body); (err == nil) != (changed == text) {
			t.Fatalf("%s: signed %q, sent %q: %v", s.SignedBytes(), text, changed, err)
		}
	})
}

// signedBy fills in a template by plain replacement.
func signedBy(s Scheme, r Request, body []byte) string {
	var at string
	if r.Header["X-T"] != nil {
		at = r.Header["X-T"][0]
	} else if _, rest, ok := strings.Cut(r.Header.Get("X-S"), "ts="); ok {
		at, _, _ = strings.Cut(rest, ";")
	}
	return strings.NewReplacer(
		"{timestamp}", at, "{id}", r.Header.Get("X-I"), "{body}", string(body), "{method}", r.Method,
		"{url}", r.Scheme+"://"+r.Host+r.URI, "{header.X-A}", r.Header.Get("X-A"),
	).Replace(s.SignedBytes())
}
