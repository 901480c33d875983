package e2e

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestURLSpellings: a provider signs the URL as its user has written it, and
// the URL that arrives can be spelled differently. The signatures are made for
// the spelling that is given with the source.
func TestURLSpellings(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Route("/a", harness.Verify("twilio", "TWILIO_SECRET", "public_url https://example.com"), "reverse_proxy "+app.Addr),
		harness.Route("/", harness.Verify("square", "SQUARE_SECRET", "public_url https://example.com"), "reverse_proxy "+app.Addr),
	), "TWILIO_SECRET=12345", "SQUARE_SECRET=sq-key")
	twilio := func(path, signature string) harness.Delivery {
		return harness.Delivery{Method: http.MethodPost, Path: path, Body: []byte("A=1"), Headers: []harness.Header{
			{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}, {Name: "X-Twilio-Signature", Value: signature},
		}}
	}
	square := func(path, signature string) harness.Delivery {
		return harness.Delivery{Method: http.MethodPost, Path: path, Body: []byte("{}"), Headers: []harness.Header{
			{Name: "Content-Type", Value: "application/json"}, {Name: "x-square-hmacsha256-signature", Value: signature},
		}}
	}
	for _, c := range []struct {
		source string // and what was signed
		sent   harness.Delivery
	}{
		{"twilio/twilio-node#1059, #1183: /a?city=Sant'Agata", twilio("/a?city=Sant%27Agata", "X1UEVioG6hpaop3pkAD2LwD3lss=")},
		{"bmlt-enabled/yap#1629: /a?name=a%20b", twilio("/a?name=a+b", "iEJCBex6s9jGWE4WXdJsMU5BABU=")},
		{"ids joined by bars: the same", twilio("/a?ids=1|2", "n8a1qJIWTZPM4mkN74tYKuLFqf4=")},
		{"TrueLayer/truelayer-signing#80: https://example.com", square("/", "cUuG1lyLUgKhp84ygD800DyvV2WB7Xf728rBfD+5Vhs=")},
		{"hookdeck/webhook-skills#176: https://example.com?x=1", square("/?x=1", "3cylQ5lvp/7NCkgIEn2SvNvhTFkYLKpNiA7MCwMikoA=")},
	} {
		t.Run(c.source, func(t *testing.T) {
			before := len(app.All())
			forged := c.sent.Saying(bytes.Replace(bytes.Replace(c.sent.Body, []byte("1"), []byte("2"), 1), []byte("{}"), []byte("{ }"), 1))
			g.Exchange(t, forged.Whole()).Rejected(t, "signature_mismatch")
			g.Exchange(t, c.sent.Whole()).Accepted(t)
			g.Exchange(t, c.sent.Whole()).Duplicate(t)
			if got := app.All()[before:]; len(got) != 1 || !bytes.Equal(got[0].Body, c.sent.Body) || got[0].URI != c.sent.Path {
				t.Errorf("the application received %+v", got)
			}
		})
	}
}

// TestSpelledOtherwiseIsTheSameEvent: another spelling of the URL that the same
// signature verifies does not turn a delivery into a new event.
func TestSpelledOtherwiseIsTheSameEvent(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Route("/a", harness.Verify("twilio", "TWILIO_SECRET", "public_url https://example.com"), "reverse_proxy "+app.Addr),
	), "TWILIO_SECRET=12345")
	for i, path := range []string{"/a?name=a%20b", "/a?name=a+b", "/a?name=%61%20b", "/a?na%6De=a+b&"} {
		d := harness.Delivery{Method: http.MethodPost, Path: path, Body: []byte("A=1"), Headers: []harness.Header{
			{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}, {Name: "X-Twilio-Signature", Value: "iEJCBex6s9jGWE4WXdJsMU5BABU="}, {Name: "I-Twilio-Idempotency-Token", Value: path},
		}}
		if a := g.Exchange(t, d.Whole()); (a.Status == http.StatusOK) != (i == 0) || i > 0 && a.Reason() != "conflict" {
			t.Errorf("%s: %d %s %s", path, a.Status, a.Verdict(), a.Reason())
		}
	}
	if n := app.Arrivals(); n != 1 {
		t.Errorf("%d deliveries reached the application", n)
	}
}
