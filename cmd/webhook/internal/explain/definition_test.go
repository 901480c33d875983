package explain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// TestDefinition is a provider's delivery, and a definition that has it
// otherwise: what is found says how to write it.
func TestDefinition(t *testing.T) {
	const secret = "the-secret"
	mac := func(text string) []byte {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	inHex := func(text string) string { return hex.EncodeToString(mac(text)) }
	inBase64 := func(text string) string { return base64.StdEncoding.EncodeToString(mac(text)) }

	single := schemes.SignatureForm{Header: "X-Own"}
	list := schemes.SignatureForm{Header: "X-Own", Separator: ",", Names: []string{"v1"}}
	inHeader := schemes.TimePlace{Place: schemes.Place{Header: "X-Time"}}
	inField := schemes.TimePlace{Place: schemes.Place{Field: "t"}}
	const signed = "{timestamp}.{body}"

	for name, c := range map[string]struct {
		written schemes.Definition
		own     string // X-Own, and X-Time is there beside it
		other   string // in place of X-Own
		want    string // what to do; nothing for what cannot be found
	}{
		"separator of the parts": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("1760000000|{}"), want: "write signed {timestamp}|{body} in the definition",
		},
		"no separator": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("1760000000{}"), want: "write signed {timestamp}{body} in the definition",
		},
		"line break": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("1760000000\n{}"), want: `write signed {timestamp}\n{body} in the definition`,
		},
		"order": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("{}.1760000000"), want: "write signed {body}.{timestamp} in the definition",
		},
		"three parts": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, ID: schemes.Place{Header: "X-Id"}, Signed: "{id}.{timestamp}.{body}"},
			own:     inHex("1760000000:e1:{}"), want: "write signed {timestamp}:{id}:{body} in the definition",
		},
		"another time": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     inHex("1760000001|{}"),
		},
		"time forgotten": {
			written: schemes.Definition{Signature: single},
			own:     inHex("1760000000.{}"), want: "write timestamp header X-Time; write signed {timestamp}.{body} in the definition",
		},
		"separator of the list": {
			written: schemes.Definition{Signature: schemes.SignatureForm{Header: "X-Own", Separator: ",", Names: []string{"v1"}}, Timestamp: inField, Signed: signed},
			own:     "t=1760000000;v1=" + inHex("1760000000.{}"),
			want:    "write signature header X-Own with a block of these lines: separator ;; names v1",
		},
		"blank behind the comma": {
			written: schemes.Definition{Signature: list, Timestamp: inField, Signed: signed},
			own:     "t=1760000000, v1=" + inHex("1760000000.{}"),
			want:    `write signature header X-Own with a block of these lines: separator ", "; names v1`,
		},
		"assign": {
			written: schemes.Definition{Signature: list, Timestamp: inField, Signed: signed},
			own:     "t:1760000000,v1:" + inHex("1760000000.{}"),
			want:    "write signature header X-Own with a block of these lines: separator ,; assign :; names v1",
		},
		"name of the entry": {
			written: schemes.Definition{Signature: list, Timestamp: inField, Signed: signed},
			own:     "t=1760000000,s=" + inHex("1760000000.{}"),
			want:    "write signature header X-Own with a block of these lines: separator ,; names s",
		},
		"a list, and not one signature": {
			written: schemes.Definition{Signature: single, Timestamp: inHeader, Signed: signed},
			own:     "t=1760000000,v1=" + inBase64("1760000000.{}"),
			want:    "write signature header X-Own with a block of these lines: encoding base64; separator ,; names v1",
		},
		"field, and not a header": {
			written: schemes.Definition{Signature: list, Timestamp: schemes.TimePlace{Place: schemes.Place{Header: "X-Timestamp"}}, Signed: signed},
			own:     "t=1760000009,v1=" + inHex("1760000009.{}"), want: "write timestamp field t",
		},
		"header, and not a field": {
			written: schemes.Definition{Signature: list, Timestamp: inField, Signed: signed},
			own:     "v0=old,v1=" + inHex("1760000000.{}"), want: "write timestamp header X-Time",
		},
		"unit": {
			written: schemes.Definition{Signature: list, Timestamp: inField, Signed: signed},
			own:     "t=1760000000123,v1=" + inHex("1760000000123.{}"), want: "write timestamp field t unit ms",
		},
		"encoding": {
			written: schemes.Definition{Signature: single},
			own:     inBase64("{}"), want: "write signature header X-Own with a block of these lines: encoding base64",
		},
		"prefix": {
			written: schemes.Definition{Signature: single},
			own:     "sha256=" + inHex("{}"), want: "write signature header X-Own with a block of these lines: prefix sha256=",
		},
		"no prefix": {
			written: schemes.Definition{Signature: schemes.SignatureForm{Header: "X-Own", Prefix: "sha256="}},
			own:     inHex("{}"), want: "write signature header X-Own without a block",
		},
		"name of the header": {
			written: schemes.Definition{Signature: single},
			other:   inHex("{}"), want: "write signature header X-Other without a block",
		},
		"form, time and text": {
			written: schemes.Definition{Signature: single},
			own:     "t=1760000001,v1=" + inHex("1760000001:{}"),
			want:    "write signature header X-Own with a block of these lines: separator ,; names v1; write timestamp field t; write signed {timestamp}:{body} in the definition",
		},
		"another secret": {
			written: schemes.Definition{Signature: single},
			own:     "t=1760000001,v1=" + hex.EncodeToString(make([]byte, sha256.Size)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &Delivery{
				Definition: &c.written, Secrets: []string{secret}, Body: []byte("{}"),
				Request: schemes.Request{Method: http.MethodPost, Header: http.Header{
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
			for _, f := range d.Refused(reasonOf(t, d)) {
				do = append(do, f.Do)
			}
			if got := strings.Join(do, "; "); got != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

// reasonOf is why a delivery is refused.
func reasonOf(t *testing.T, d *Delivery) schemes.Reason {
	t.Helper()
	v, err := d.Scheme.NewVerifier(d.Secrets...)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := v.Open(d.Request)
	if err == nil {
		defer opened.Close()
		_, _ = opened.Write(d.Body)
		_, err = opened.Verify(d.Body)
	}
	refused, ok := err.(*schemes.Refusal) //nolint:errorlint // it is documented as this
	if !ok {
		t.Fatalf("it is not refused: %v", err)
	}
	return refused.Reason
}
