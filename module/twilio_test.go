package module

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"testing"
)

// TestTwilioRecut checks that no form that can be made from a delivered one
// without the token is forwarded. Such a form does not hide the real one
// either: that is then reported as a conflict and not as a duplicate.
func TestTwilioRecut(t *testing.T) {
	const form = "Body=2&From=3"
	same := []string{form, "From=3&Body=2&Body=2"}
	recut := []string{"Body2From=3", "Body=2From3", "B=ody2&From=3"}
	mac := hmac.New(sha1.New, []byte(testSecret))
	for name, c := range map[string]struct {
		first     string
		duplicate []string
		conflict  []string
	}{
		"the real one first": {form, same, recut},
		"a cut first":        {"Body2From=3", []string{"Body2From=3"}, same},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, map[string]any{"scheme": "twilio"}, nil)
			mac.Reset()
			mac.Write([]byte(g.URL + "/hook?token=1Body2From3"))
			header := http.Header{
				"Content-Type":       {"application/x-www-form-urlencoded"},
				"X-Twilio-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))},
			}
			expect(t, g.send(t, header, c.first), http.StatusNoContent, "")
			for _, text := range c.duplicate {
				expect(t, g.send(t, header, text), http.StatusOK, "")
			}
			for _, text := range c.conflict {
				expect(t, g.send(t, header, text), http.StatusConflict, "rejected conflict")
			}
			r := g.request(t, header, http.NoBody)
			r.URL = mustParse(t, g.URL+"/hook?token=1Body2From3")
			expect(t, g.sendRequest(t, r), http.StatusConflict, "rejected conflict")
			g.expectDelivered(t, c.first)

			// Another token is another event, but not of another cut.
			header["I-Twilio-Idempotency-Token"] = []string{"another"}
			for _, text := range c.conflict {
				expect(t, g.send(t, header, text), http.StatusConflict, "rejected conflict")
			}
			expect(t, g.send(t, header, c.first), http.StatusNoContent, "")
			expect(t, g.send(t, header, c.first), http.StatusOK, "")
			g.expectDelivered(t, c.first, c.first)
		})
	}
}

func mustParse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
