package module

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
)

// TestTwilioRecut: whatever can be made of a delivered form without the token is
// a duplicate of it, as is the same form with a port in its URL.
func TestTwilioRecut(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "twilio"}, nil)
	mac := hmac.New(sha1.New, []byte(testSecret))
	mac.Write([]byte(g.URL + "/hook?token=1Body2From3"))
	header := http.Header{
		"Content-Type":       {"application/x-www-form-urlencoded"},
		"X-Twilio-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}
	expect(t, g.send(t, header, "Body=2&From=3"), http.StatusNoContent, "")
	g.expectDelivered(t, "Body=2&From=3")
	for _, recut := range []string{"Body=2&From=3", "From=3&Body=2&Body=2", "Body2From=3", "Body=2From3"} {
		expect(t, g.send(t, header, recut), http.StatusOK, "")
	}
	r := g.request(t, header, http.NoBody)
	r.URL = mustParse(t, g.URL+"/hook?token=1Body2From3")
	expect(t, g.sendRequest(t, r), http.StatusOK, "")
	g.expectDelivered(t, "Body=2&From=3")

	header["I-Twilio-Idempotency-Token"] = []string{"another"}
	expect(t, g.send(t, header, "Body=2&From=3"), http.StatusConflict, "rejected conflict")
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
