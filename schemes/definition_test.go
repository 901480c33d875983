package schemes

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// compileJSON decodes and compiles a definition as a configuration does.
func compileJSON(text string) (Scheme, error) {
	var d Definition
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Scheme{}, err
	}
	return d.Compile("own")
}

func mustCompile(t testing.TB, text string) Scheme {
	t.Helper()
	s, err := compileJSON(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func TestDefinitionErrors(t *testing.T) {
	const x = `"signature":{"header":"X-S"}`
	for _, c := range []struct{ definition, want string }{
		{`{}`, "signature: header: there is no header's name; write one such as X-Signature"},
		{`{"sigature":{}}`, `unknown field "sigature"`},
		{`{"signature":{"header":"X_S"}}`, "signature: header: the header has a _ or a dot in its name, and Caddy passes no such header on; write the name as the provider sends it, usually with dashes"},
		{`{"signature":{"header":"X S"}}`, "signature: header: this is not the name of a header"},
		{`{"algorithm":"sha256",` + x + `}`, `algorithm: this is not known here; write one of hmac-sha256, hmac-sha1, hmac-sha384, hmac-sha512, ed25519, ecdsa-p256`},
		{`{"key":"whpk_",` + x + `}`, `key: this is not known here; write one of text, base64, hex, whsec_`},
		{`{"algorithm":"ecdsa-p256","key":"hex",` + x + `}`, `key: this is not known here; write one of pem, spki`},
		{`{"signature":{"header":"X-S","encoding":"base32"}}`, `signature: encoding: this is not known here; write one of hex, base64, base64url`},
		{`{"signature":{"header":"X-S","names":["v1"]}}`, "signature: separator: without one the header is a single signature"},
		{`{"signature":{"header":"X-S","separator":","}}`, "signature: names: a list has entries with names"},
		{`{"signature":{"header":"X-S","separator":",","assign":",","names":["v1"]}}`, "signature: assign: this is the separator too"},
		{`{"signature":{"header":"X-S","separator":",","names":["v=1"]}}`, `signature: names: one of them cannot be the name of an entry`},
		{`{"signature":{"header":"X-S","separator":",","names":["t"]},"timestamp":{"field":"t"},"signed":"{timestamp}.{body}"}`, `signature: names: one of them is there twice`},
		{`{"signed":"{timestamp}.{body}",` + x + `}`, "signed: {timestamp} is there, and nothing says where it is; write timestamp with a header, or a field of the signature header"},
		{`{"signed":"{id}.{body}",` + x + `}`, "signed: {id} is there, and nothing says where it is"},
		{`{"signed":"{timestamp}.{body}","timestamp":{"body":"at"},` + x + `}`, "timestamp: a member of the body is signed with the body; take {timestamp} out of signed"},
		{`{"timestamp":{"header":"X-T"},` + x + `}`, "timestamp: it is not in the template and so not signed; add {timestamp} to signed if the provider signs it, else leave timestamp out"},
		{`{"id":{"header":"X-I"},` + x + `}`, "id: it is not in the template and so not signed; add {id} to signed if the provider signs it, else write it as occurrence_id"},
		{`{"id":{"header":"X-I","body":"id"},"signed":"{id}.{body}",` + x + `}`, "id: it is in one place; write one of header, field and body"},
		{`{"timestamp":{"body":"at","unit":"us"},` + x + `}`, `timestamp: unit: this is not known here; write one of s, ms, rfc3339`},
		{`{"occurred_at":{"body":"at","unit":"us"},` + x + `}`, `occurred_at: unit: this is not known here`},
		{`{"event":{"body":"a..b"},` + x + `}`, "event: body: this is not the path of a member; write names with single dots in between, such as data.object.id"},
		{`{"tenant":"a.b.c.d.e.f.g.h.i",` + x + `}`, "tenant: a path may have 8 steps; write a shorter one"},
		{`{"occurrence_id_unique":true,` + x + `}`, "occurrence_id_unique: there is no occurrence_id that could be unique; write its header in occurrence_id, or leave occurrence_id_unique out"},
		{`{"signed":"{header.X-A}\n{body}","occurrence_id":"X-A",` + x + `}`, "occurrence_id: the header X-A is signed; write it as id, or leave it out"},
		{`{"signed":"{timestamp}\n{header.X-T}\n{body}","timestamp":{"header":"X-T"},` + x + `}`, "signed: the header X-T has two meanings"},
		{`{"signed":"{id}\n{body}","id":{"header":"X-I"},"event":{"header":"X-I"},` + x + `}`, "event: the header X-I holds another signed value"},
		{`{"signed":"{url}{body}",` + x + `}`, "signed: it cannot be told where {url} ends"},
		{`{"aliases":[{"X-A":"X-B"}],` + x + `}`, "aliases: 1: the definition has no such header; name those that it has"},
		{`{"aliases":[{}],` + x + `}`, "aliases: 1: X-S has no other name in it; name every signed header"},
		{`{"aliases":[{"x-s":"x-s"}],` + x + `}`, "aliases: 1: X-S belongs to another set too; the names of the sets differ"},
		{`{"aliases":[{"x-s":"x.s"}],` + x + `}`, "aliases: 1: the header has a _ or a dot in its name"},
		{`{"variants":[{"name":"v1","key":"text"}],"signature":{"header":"X-S","separator":" "}}`, "variants: 1: key: a secret must show which variant it is for; write whsec_, whpk_ or pem"},
		{`{"variants":[{"name":"v1","key":"whsec_"},{"name":"v2","key":"whsec_"}],"signature":{"header":"X-S","separator":" "}}`, "variants: 2: another variant has this name or this key too"},
		{`{"algorithm":"ed25519","variants":[{"name":"v1","key":"whsec_"}],"signature":{"header":"X-S","separator":" "}}`, "variants: each has an algorithm, a key and a name of its own"},
		{`{"variants":[{"name":"v1","key":"whsec_"}],` + x + `}`, "signature: separator: without one"},
	} {
		_, err := compileJSON(c.definition)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n%v, want\n%s", c.definition, err, c.want)
			continue
		}
		for range 10 {
			if _, again := compileJSON(c.definition); again.Error() != err.Error() {
				t.Errorf("%s: %v, and %v at another time", c.definition, err, again)
			}
		}
	}
	for _, name := range []string{"", "Own", "a b", strings.Repeat("a", 65)} {
		if _, err := (Definition{Signature: SignatureForm{Header: "X-S"}}).Compile(name); err == nil {
			t.Errorf("%q is taken as a name", name)
		}
	}
}

// TestWhatIsSignedDecides shows which properties of a scheme follow from its
// template alone.
func TestWhatIsSignedDecides(t *testing.T) {
	at := time.Unix(1760000000, 0)
	for _, c := range []struct {
		name, definition string
		out              Delivery
		body             string
		time             TimeSource
		want             Event
		identity         string
		unsignedEvent    string
	}{
		{
			name: "an event header that is not signed", definition: `{"signature":{"header":"X-S"},"event":{"header":"X-E"}}`,
			out: Delivery{Event: "paid"}, unsignedEvent: "paid",
		}, {
			name: "an event header that is signed", definition: `{"signature":{"header":"X-S"},"signed":"{header.X-E}\n{body}","event":{"header":"X-E"}}`,
			out: Delivery{Event: "paid"}, want: Event{Type: "paid"}, identity: "paid",
		}, {
			name: "a member of the body comes first", definition: `{"signature":{"header":"X-S"},"event":{"header":"X-E","body":"data.type"}}`,
			out: Delivery{Event: "paid"}, body: `{"data":{"type":"refunded"}}`, want: Event{Type: "refunded"}, unsignedEvent: "paid",
		}, {
			name: "a signed id is the identity", definition: `{"signature":{"header":"X-S"},"signed":"{id}.{body}","id":{"header":"X-I"}}`,
			out: Delivery{ID: "e-1"}, want: Event{ID: "e-1"},
		}, {
			name: "an id in the body", definition: `{"signature":{"header":"X-S"},"id":{"body":"data.id"}}`,
			body: `{"data":{"id":"e-1"}}`, want: Event{ID: "e-1"},
		}, {
			name: "an id in the body that cannot be one", definition: `{"signature":{"header":"X-S"},"id":{"body":"id"}}`,
			body: `{"id":"e 1"}`,
		}, {
			name: "an id in the body that is a number", definition: `{"signature":{"header":"X-S"},"id":{"body":"id"}}`,
			body: `{"id":1}`,
		}, {
			name: "a time in the header", definition: `{"signature":{"header":"X-S"},"signed":"{timestamp}.{body}","timestamp":{"header":"X-T"}}`,
			time: TimeInHeaders,
		}, {
			name: "a time in the body", definition: `{"signature":{"header":"X-S"},"timestamp":{"body":"at","unit":"ms"}}`,
			body: `{"at":1760000000123}`, time: TimeInBody, want: Event{BodyTime: time.UnixMilli(1760000000123)},
		}, {
			name: "all that is signed is the identity, but the time", definition: `{"signature":{"header":"X-S"},"signed":"{timestamp}\n{method} {url}\n{header.X-A}\n{body}","timestamp":{"header":"X-T"}}`,
			out:  Delivery{Request: Request{Method: "POST", Scheme: "https", Host: "a", URI: "/b?c", Header: http.Header{"X-A": {"d"}}}},
			time: TimeInHeaders, identity: "POST\x00https://a/b?c\x00d",
		}, {
			name: "whose event it is", definition: `{"signature":{"header":"X-S"},"tenant":"t.x","environment":"t.y","occurred_at":{"body":"at","unit":"rfc3339"}}`,
			body: `{"t":{"x":"acme","y":"live"},"at":"2025-10-09T08:53:20Z"}`, want: Event{Tenant: "acme", Environment: "live", OccurredAt: at},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustCompile(t, c.definition)
			c.out.Body, c.out.At = []byte(c.body), at
			h, err := s.SignWith("secret", c.out)
			if err != nil {
				t.Fatal(err)
			}
			r := c.out.Request
			r.Header = h
			v, err := s.NewVerifier([]string{"secret"}, Clock(func() time.Time { return at }))
			if err != nil {
				t.Fatal(err)
			}
			d, err := v.Begin(r)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			d.Write(c.out.Body)
			event, err := d.Verify()
			if err != nil {
				t.Fatal(err)
			}
			got := bodyOf(event)
			if !got.OccurredAt.Equal(c.want.OccurredAt) || !got.BodyTime.Equal(c.want.BodyTime) {
				t.Errorf("times %v %v", got.OccurredAt, got.BodyTime)
			}
			got.OccurredAt, got.BodyTime = c.want.OccurredAt, c.want.BodyTime
			if got != c.want || s.Time() != c.time {
				t.Errorf("%+v with the time %d, want %+v with %d", got, s.Time(), c.want, c.time)
			}
			if string(d.SignedHeaders.Identity) != c.identity || d.SignedHeaders.UnsignedEvent.Value != c.unsignedEvent {
				t.Errorf("identity %q, unsigned event %q", d.SignedHeaders.Identity, d.SignedHeaders.UnsignedEvent.Value)
			}
			if c.time == TimeInHeaders && !d.SignedHeaders.SentAt.Equal(at) {
				t.Errorf("sent at %v", d.SignedHeaders.SentAt)
			}
		})
	}
}

// TestDefinedHeaders shows which signature headers are accepted, and why others
// are refused.
func TestDefinedHeaders(t *testing.T) {
	const (
		mac    = "117eca332f7e13ccb8e4574e4f33daa212a9231353670c2b8b4797df0bb77afa" // of "x", under "secret"
		other  = "00000000000000000000000000000000000000000000000000000000000000ff"
		single = `{"signature":{"header":"X-S","prefix":"sha256="}}`
		list   = `{"signature":{"header":"X-S","separator":";","names":["h1","h2"]}}`
	)
	many := strings.Repeat("h1="+other+";", engine.MaxSignatures-1)
	for _, c := range []struct {
		name, definition string
		values           []string
		want             Reason
	}{
		{"taken", single, []string{"sha256=" + mac}, ""},
		{"upper case", single, []string{"sha256=" + strings.ToUpper(mac)}, ""},
		{"absent", single, nil, MissingSignature},
		{"empty", single, []string{""}, MissingSignature},
		{"twice", single, []string{"sha256=" + mac, "sha256=" + mac}, MalformedSignature},
		{"no prefix", single, []string{mac}, MalformedSignature},
		{"two prefixes", single, []string{"sha256=sha256=" + mac}, MalformedSignature},
		{"too short", single, []string{"sha256=" + mac[2:]}, MalformedSignature},
		{"too long", single, []string{"sha256=" + mac + "00"}, MalformedSignature},
		{"blank", single, []string{"sha256=" + mac + " "}, MalformedSignature},
		{"another", single, []string{"sha256=" + other}, SignatureMismatch},
		{"in a list", list, []string{"h1=" + mac}, ""},
		{"second name", list, []string{"h2=" + mac}, ""},
		{"behind another", list, []string{"h1=" + other + ";h1=" + mac}, ""},
		{"among strangers", list, []string{"x;y=z;;h1=" + mac + ";"}, ""},
		{"strangers alone", list, []string{"h3=" + mac}, MalformedSignature},
		{"one of two malformed", list, []string{"h1=zz;h1=" + mac}, ""},
		{"the other one malformed", list, []string{"h1=" + mac + ";h1=" + mac[1:] + ";h2="}, ""},
		{"all malformed", list, []string{"h1=zz;h1=" + mac[2:]}, MalformedSignature},
		{"a malformed one beside another", list, []string{"h1=zz;h1=" + other}, SignatureMismatch},
		{"as many as are looked at", list, []string{many + "h1=" + mac}, ""},
		{"one more", list, []string{many + "h1=" + other + ";h1=" + mac}, MalformedSignature},
		{"longer than the bound", list, []string{"h1=" + mac + ";" + strings.Repeat("x", 4096)}, MalformedSignature},
	} {
		s := mustCompile(t, c.definition)
		_, err := verifyBy(t, s, []string{"secret"}, Request{Header: http.Header{"X-S": c.values}}, []byte("x"), time.Time{})
		if got := Reason(reasonOf(err)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestEntriesWithoutAName: an entry without a name is never taken for the time
// or the id of a scheme that has neither among its entries.
func TestEntriesWithoutAName(t *testing.T) {
	for _, signed := range []string{
		`"signed":"{timestamp}.{body}","timestamp":{"field":"t"},"id":{"body":"id"}`,
		`"signed":"{id}.{body}","id":{"field":"i"}`,
		`"signed":"{body}"`,
	} {
		s := mustCompile(t, `{"signature":{"header":"X-S","separator":",","names":["v1"]},`+signed+`}`)
		out := Delivery{Body: []byte("{}"), At: time.Unix(1760000000, 0)}
		if s.SignsID() && s.Time() == NoTime {
			out.ID = "i1"
		}
		h, err := s.SignWith("k", out)
		if err != nil {
			t.Fatal(err)
		}
		h.Set("X-S", "=77,"+h.Get("X-S")+",=evil")
		v, err := s.NewVerifier([]string{"k"}, Clock(func() time.Time { return out.At }))
		if err != nil {
			t.Fatal(err)
		}
		d, err := v.Begin(Request{Header: h})
		if err != nil {
			t.Fatalf("%s: %v", signed, err)
		}
		d.Write(out.Body)
		if event, err := d.Verify(); err != nil || event.ID != out.ID || d.SignedHeaders.SentAtText == "77" {
			t.Errorf("%s: %v, id %q, sent at %q", signed, err, event.ID, d.SignedHeaders.SentAtText)
		}
		d.Close()
	}
}

func TestSignedHeaderRefusals(t *testing.T) {
	s := mustCompile(t, `{"signature":{"header":"X-S"},"signed":"{id}.{timestamp}.{method}.{header.X-A}\n{body}",
		"id":{"header":"X-I"},"timestamp":{"header":"X-T"}}`)
	for _, c := range []struct {
		header, value, method string
		want                  Reason
	}{
		{"X-I", "", "POST", MissingSignedHeader},
		{"X-I", "a.b", "POST", MalformedSignedHeader},
		{"X-I", "a b", "POST", MalformedSignedHeader},
		{"X-I", "é", "POST", MalformedSignedHeader},
		{"X-I", strings.Repeat("a", 257), "POST", MalformedSignedHeader},
		{"X-I", strings.Repeat("a", 256), "POST", SignatureMismatch},
		{"X-I", "order:1/~+=", "POST", SignatureMismatch},
		{"X-T", "", "POST", MissingSignedHeader},
		{"X-T", "+1", "POST", MalformedSignedHeader},
		{"X-T", "12345678901", "POST", MalformedSignedHeader},
		{"X-A", "", "POST", MissingSignedHeader},
		{"X-A", "a\nb", "POST", MalformedSignedHeader},
		{"X-A", strings.Repeat("a", 4096+1), "POST", MalformedSignedHeader},
		{"X-Other", "", "POST.", MalformedSignedHeader},
		{"X-Other", "", "POST", SignatureMismatch},
	} {
		h := http.Header{"X-S": {strings.Repeat("0", 64)}, "X-I": {"i"}, "X-T": {"1"}, "X-A": {"a"}, c.header: {c.value}}
		_, err := verifyBy(t, s, []string{"k"}, Request{Header: h, Method: c.method}, nil, time.Time{})
		if got := Reason(reasonOf(err)); got != c.want {
			t.Errorf("%s %q, %s: %q, want %q", c.header, c.value, c.method, got, c.want)
		}
	}
}

// TestBodiesBehindAURL shows why {url}{body} needs a JSON object: the beginning
// of any other body could have been moved from the URL.
func TestBodiesBehindAURL(t *testing.T) {
	s := mustCompile(t, `{"signature":{"header":"X-S","encoding":"base64"},"signed":"{url}{body}","json_object":true}`)
	r := Request{Scheme: "https", Host: "a", URI: "/b{}"}
	sign := func(signed string) Request {
		mac := hmac.New(sha256.New, []byte("k"))
		mac.Write([]byte(signed))
		r.Header = http.Header{"X-S": {base64.StdEncoding.EncodeToString(mac.Sum(nil))}}
		return r
	}
	if _, err := verifyBy(t, s, []string{"k"}, sign("https://a/b{}"), nil, time.Time{}); reasonOf(err) != "malformed_signed_header" {
		t.Errorf("a brace in the URL: %v", err)
	}
	r.URI = "/b"
	if _, err := verifyBy(t, s, []string{"k"}, sign("https://a/b{}"), []byte("{}"), time.Time{}); err != nil {
		t.Error(err)
	}
	r.URI = "/"
	for _, body := range []string{"b{}", "", "[]", " {}"} {
		if _, err := verifyBy(t, s, []string{"k"}, sign("https://a/"+body), []byte(body), time.Time{}); reasonOf(err) != "signature_mismatch" {
			t.Errorf("%q: %v", body, err)
		}
	}
}
