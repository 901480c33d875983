package explain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// TestTemplate is a definition that has the right parts and joins them otherwise
// than the provider does.
func TestTemplate(t *testing.T) {
	const secret = "the-secret"
	for _, c := range []struct{ written, signed, want string }{
		{"{timestamp}.{body}", "1760000000|{}", "the sender signed {timestamp}|{body}"},
		{"{timestamp}.{body}", "1760000000{}", "the sender signed {timestamp}{body}"},
		{"{timestamp}.{body}", "1760000000\n{}", `the sender signed {timestamp}\n{body}`},
		{"{timestamp}.{body}", "{}.1760000000", "the sender signed {body}.{timestamp}"},
		{"{id}.{timestamp}.{body}", "1760000000:e1:{}", "the sender signed {timestamp}:{id}:{body}"},
		{"{timestamp}.{body}", "1760000001|{}", ""}, // it signed another time
	} {
		definition := schemes.Definition{
			Signature: schemes.SignatureForm{Header: "X-Own"},
			Timestamp: schemes.TimePlace{Place: schemes.Place{Header: "X-Time"}},
			Signed:    c.written,
		}
		if c.written[1] == 'i' {
			definition.ID.Header = "X-Id"
		}
		scheme, err := definition.Compile("own")
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(c.signed))
		d := &Delivery{
			Scheme: scheme, Definition: &definition, Secrets: []string{secret}, Body: []byte("{}"),
			Request: schemes.Request{Method: http.MethodPost, Header: http.Header{
				"X-Own": {hex.EncodeToString(mac.Sum(nil))}, "X-Time": {"1760000000"}, "X-Id": {"e1"},
			}},
		}
		found := d.Refused(schemes.SignatureMismatch)
		switch {
		case c.want == "" && len(found) > 0:
			t.Errorf("%s for %s: %v", c.written, c.signed, found)
		case c.want != "" && (len(found) != 1 || found[0].What != c.want):
			t.Errorf("%s for %s: %v, want %s", c.written, c.signed, found, c.want)
		}
	}
}
