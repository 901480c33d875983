package explain

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/caddyfile/definition"
	"github.com/hooklatch/hooklatch/schemes"
)

// TestDefinition explains a provider's delivery with a definition that differs
// from it. The findings say how to write the definition.
func TestDefinition(t *testing.T) {
	const secret = "the-secret"
	inHex := func(text string) string { return hex.EncodeToString(macOf(secret, text)) }
	inBase64 := func(text string) string { return base64.StdEncoding.EncodeToString(macOf(secret, text)) }

	single := schemes.SignatureForm{Header: "X-Own"}
	list := schemes.SignatureForm{Header: "X-Own", Separator: ",", Names: []string{"v1"}}
	inHeader := schemes.TimePlace{Place: schemes.Place{Header: "X-Time"}}
	inField := schemes.TimePlace{Place: schemes.Place{Field: "t"}}
	const signed = "{timestamp}.{body}"

	for name, c := range map[string]struct {
		written schemes.Definition
		own     string // X-Own, sent with X-Time
		other   string // in place of X-Own
		secret  string // in place of the usual one
		want    string // what to do; empty if it cannot be found
	}{
		"separator of the parts": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("1760000000|{}"), want: "in the definition write signed {timestamp}|{body}",
		},
		"no separator": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("1760000000{}"), want: "in the definition write signed {timestamp}{body}",
		},
		"line break": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("1760000000\n{}"), want: `in the definition write signed {timestamp}\n{body}`,
		},
		"order": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("{}.1760000000"), want: "in the definition write signed {body}.{timestamp}",
		},
		"three parts": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, ID: schemes.Place{Header: "X-Id"}, Signed: "{id}.{timestamp}.{body}"},
			own:     inHex("1760000000:e1:{}"), want: "in the definition write signed {timestamp}:{id}:{body}",
		},
		"another time": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("1760000001|{}"),
		},
		"time forgotten": {
			written: schemes.Definition{Signature: single},
			own:     inHex("1760000000.{}"), want: "in the definition write timestamp header X-Time; in the definition write signed {timestamp}.{body}",
		},
		"separator of the list": {
			written: schemes.Definition{Signature: schemes.SignatureForm{Header: "X-Own", Separator: ",", Names: []string{"v1"}}, Timestamp: inField, Signed: signed},
			own:     "t=1760000000;v1=" + inHex("1760000000.{}"),
			want:    "in the definition write signature header X-Own with `separator \";\"`, `names v1` in its block",
		},
		"blank behind the comma": {
			written: schemes.Definition{Signature: list, Timestamp: inField, Signed: signed},
			own:     "t=1760000000, v1=" + inHex("1760000000.{}"),
			want:    "in the definition write signature header X-Own with `separator \", \"`, `names v1` in its block",
		},
		"assign": {
			written: schemes.Definition{Signature: list, Timestamp: inField, Signed: signed},
			own:     "t:1760000000,v1:" + inHex("1760000000.{}"),
			want:    "in the definition write signature header X-Own with `separator ,`, `assign :`, `names v1` in its block",
		},
		"semicolon and blank": {
			written: schemes.Definition{Signature: list, Timestamp: inField, Signed: signed},
			own:     "t=1760000000; v1=" + inHex("1760000000.{}"),
			want:    "in the definition write signature header X-Own with `separator \"; \"`, `names v1` in its block",
		},
		"version passed over": {
			written: schemes.Definition{Signature: schemes.SignatureForm{Header: "X-Own", Separator: ",", Names: []string{"v1"}}},
			own:     "v1=" + inHex("other") + ",v2=" + inHex("{}"),
			want:    "in the definition write signature header X-Own with `separator ,`, `names v2` in its block",
		},
		"URL in front of an object": {
			written: schemes.Definition{Signature: single, Signed: "{url}|{body}"},
			own:     inHex("https://h/x{}"), want: "in the definition write signed {url}{body}; in the definition write json_object",
		},
		"name of the entry": {
			written: schemes.Definition{Signature: list, Timestamp: inField, Signed: signed},
			own:     "t=1760000000,s=" + inHex("1760000000.{}"),
			want:    "in the definition write signature header X-Own with `separator ,`, `names s` in its block",
		},
		"a list, and not one signature": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     "t=1760000000,v1=" + inBase64("1760000000.{}"),
			want:    "in the definition write signature header X-Own with `encoding base64`, `separator ,`, `names v1` in its block",
		},
		"field, and not a header": {
			written: schemes.Definition{Signature: list, Timestamp: schemes.TimePlace{Place: schemes.Place{Header: "X-Timestamp"}}, Signed: signed},
			own:     "t=1760000009,v1=" + inHex("1760000009.{}"), want: "in the definition write timestamp field t",
		},
		"header, and not a field": {
			written: schemes.Definition{Signature: list, Timestamp: inField, Signed: signed},
			own:     "v0=old,v1=" + inHex("1760000000.{}"), want: "in the definition write timestamp header X-Time",
		},
		"unit": {
			written: schemes.Definition{Signature: list, Timestamp: inField, Signed: signed},
			own:     "t=1760000000123,v1=" + inHex("1760000000123.{}"), want: "in the definition write timestamp field t unit ms",
		},
		"encoding": {
			written: schemes.Definition{Signature: single},
			own:     inBase64("{}"), want: "in the definition write signature header X-Own with `encoding base64` in its block",
		},
		"prefix": {
			written: schemes.Definition{Signature: single},
			own:     "sha256=" + inHex("{}"), want: "in the definition write signature header X-Own with `prefix sha256=` in its block",
		},
		"no prefix": {
			written: schemes.Definition{Signature: schemes.SignatureForm{Header: "X-Own", Prefix: "sha256="}},
			own:     inHex("{}"), want: "in the definition write signature header X-Own without a block",
		},
		"name of the header": {
			written: schemes.Definition{Signature: single},
			other:   inHex("{}"), want: "in the definition write signature header X-Other without a block",
		},
		"form, time and text": {
			written: schemes.Definition{Signature: single},
			own:     "t=1760000001,v1=" + inHex("1760000001:{}"),
			want:    "in the definition write signature header X-Own with `separator ,`, `names v1` in its block; in the definition write timestamp field t; in the definition write signed {timestamp}:{body}",
		},
		"version in front": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("v0:1760000000:{}"), want: "in the definition write signed v0:{timestamp}:{body}",
		},
		"blank between the parts": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("1760000000 {}"), want: `in the definition write signed "{timestamp} {body}"`,
		},
		"time not signed": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("{}"), want: "in the definition leave timestamp out: it is not signed; in the definition write signed {body}",
		},
		"id forgotten": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("e1.1760000000.{}"), want: "in the definition write id header X-Id; in the definition write signed {id}.{timestamp}.{body}",
		},
		"name of the id's header": {
			written: schemes.Definition{Signature: single, ID: schemes.Place{Header: "X-Event-Id"}, Signed: "{id}.{body}"},
			own:     inHex("e1.{}"), want: "in the definition write id header X-Id",
		},
		"key in hex": {
			written: schemes.Definition{Signature: single}, secret: hex.EncodeToString([]byte(secret)),
			own: inHex("{}"), want: "in the definition write key hex",
		},
		"key as text": {
			written: schemes.Definition{Signature: single, Key: "base64"}, secret: "the+secret+0",
			own: hex.EncodeToString(macOf("the+secret+0", "{}")), want: "in the definition write key text",
		},
		"algorithm": {
			written: schemes.Definition{Signature: single, Algorithm: "hmac-sha1"},
			own:     inHex("{}"), want: "in the definition write algorithm hmac-sha256",
		},
		"algorithm and encoding": {
			written: schemes.Definition{Signature: single, Algorithm: "hmac-sha512"},
			own:     inBase64("{}"), want: "in the definition write algorithm hmac-sha256; in the definition write signature header X-Own with `encoding base64` in its block",
		},
		"another secret": {
			written: schemes.Definition{Signature: single},
			own:     "t=1760000001,v1=" + hex.EncodeToString(make([]byte, sha256.Size)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &Delivery{
				Definition: &c.written, Secrets: []string{cmp.Or(c.secret, secret)}, Body: []byte("{}"),
				Request: schemes.Request{Method: http.MethodPost, Scheme: "https", Host: "h", URI: "/x", Header: http.Header{
					"X-Time": {"1760000000"}, "X-Id": {"e1"}, "Content-Type": {"application/json"},
				}},
			}
			var err error
			if d.Scheme, err = c.written.Compile("own"); err != nil {
				t.Fatal(err)
			}
			for header, value := range map[string]string{"X-Own": c.own, "X-Other": c.other} {
				if value != "" {
					d.Request.Header[header] = []string{value}
				}
			}
			var do []string
			for _, f := range d.refused(reasonOf(t, d)) {
				do = append(do, f.Do)
			}
			if got := strings.Join(do, "; "); got != c.want {
				t.Fatalf("%s\nwant %s", got, c.want)
			}
			if do != nil {
				d.verifiesBy(t, advised(t, d.Definition, do))
			}
		})
	}
}

// advised returns the definition for a Caddyfile, changed exactly as the
// findings say.
func advised(t *testing.T, own *schemes.Definition, do []string) string {
	t.Helper()
	options := map[string]string{"signature": signatureOption(own.Signature)}
	for name, value := range map[string]string{"algorithm": own.Algorithm, "key": own.Key, "signed": own.Signed} {
		if value != "" {
			options[name] = name + " " + quoted(value)
		}
	}
	if own.Timestamp != (schemes.TimePlace{}) {
		options["timestamp"] = strings.TrimPrefix(timestampOption(own.Timestamp), "write ")
	}
	if own.ID != (schemes.Place{}) {
		options["id"] = strings.TrimPrefix(idOption(own.ID), "write ")
	}
	for _, line := range do {
		line = strings.TrimPrefix(line, "in the definition ")
		verb, option, _ := strings.Cut(line, " ")
		name, _, _ := strings.Cut(option, " ")
		switch verb {
		case "write":
			options[name] = option
		case "leave":
			delete(options, name)
		default:
			t.Fatalf("nobody knows what to do with %q", line)
		}
	}
	var text strings.Builder
	for _, option := range options {
		option = strings.TrimSuffix(option, " without a block")
		if line, block, ok := strings.Cut(option, " with `"); ok {
			block = strings.TrimSuffix(block, "` in its block")
			option = line + " {\n" + strings.ReplaceAll(block, "`, `", "\n") + "\n}"
		}
		text.WriteString(option + "\n")
	}
	return "scheme_definition {\n" + text.String() + "}\n"
}

// verifiesBy fails the test if a definition does not accept the delivery.
func (d *Delivery) verifiesBy(t *testing.T, text string) {
	t.Helper()
	own, err := definition.ReadFile("advised", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	scheme, err := own.Compile(d.Scheme.Name())
	if err != nil || !matches(d.verifier(scheme), d.Request, d.Body) {
		t.Errorf("it is not accepted by\n%s", text)
	}
}

func macOf(secret, text string) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// reasonOf returns the reason for which a delivery is refused.
func reasonOf(t *testing.T, d *Delivery) schemes.Reason {
	t.Helper()
	v, err := d.Scheme.NewVerifier(d.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := v.Begin(d.Request)
	if err == nil {
		defer opened.Close()
		_, _ = opened.Write(d.Body)
		_, err = opened.Authenticate()
	}
	refused, ok := err.(schemes.Refusal) //nolint:errorlint // documented to be exactly this type
	if !ok {
		t.Fatalf("it is not refused: %v", err)
	}
	return refused.Reason()
}
