package webhook

import (
	"context"
	"strings"
	"testing"
)

const standardSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// reported is a delivery from a public report or a provider's page, with the
// right outcome.
type reported struct {
	source, scheme, secret string
	at                     string   // Unix seconds; default: 1700000000
	more                   []string // arguments
	headers, body          string
	status                 int
	says                   string // a part of the output
}

// TestReported covers faults of other software, grouped by the rule that
// prevents them. It does not search for explanations.
func TestReported(t *testing.T) {
	noTime, cancel := context.WithCancel(t.Context())
	cancel()
	for rule, cases := range map[string][]reported{
		"what the provider's libraries take for a URL is taken": reportedURLs(),
		"what the libraries of Standard Webhooks take is taken": reportedStandard(),
		"a header announces the algorithm":                      reportedAlgorithms(),
		"a malformed entry beside a good one is passed over":    reportedLists(),
		"defaults lose nothing that is sent":                    reportedDefaults(),
	} {
		t.Run(rule, func(t *testing.T) {
			for _, c := range cases {
				at := "1700000000"
				if c.at != "" {
					at = c.at
				}
				args := append([]string{"verify", "--at", at, "--scheme", c.scheme, "--secret", c.secret, "--headers", tempFile(t, []byte(c.headers))}, c.more...)
				o := run(t, []byte(c.body), args...)
				if o.status != c.status || !strings.Contains(o.out+o.errOut, c.says) {
					t.Errorf("%s: status %d, want %d and %q\n%s%s", c.source, o.status, c.status, c.says, o.out, o.errOut)
				}
				if c.status != 0 || c.body == "" {
					continue
				}
				altered := []byte(c.body)
				altered[len(altered)-1] ^= 1
				if o := runWithin(noTime, altered, args...); o.status != 1 {
					t.Errorf("%s, altered: status %d\n%s%s", c.source, o.status, o.out, o.errOut)
				}
			}
		})
	}
}

func reportedURLs() (all []reported) {
	for _, c := range []struct {
		source, received, signature string
	}{
		{"twilio/twilio-node#1059, #1183", "/a?city=Sant%27Agata", "X1UEVioG6hpaop3pkAD2LwD3lss="},
		{"bmlt-enabled/yap#1629", "/a?name=a+b", "iEJCBex6s9jGWE4WXdJsMU5BABU="},
		{"ids joined by bars", "/a?ids=1|2", "n8a1qJIWTZPM4mkN74tYKuLFqf4="},
	} {
		all = append(all, reported{
			source: c.source, scheme: "twilio", secret: "12345", more: []string{"--url", "https://example.com" + c.received},
			headers: "Content-Type: application/x-www-form-urlencoded\nX-Twilio-Signature: " + c.signature, body: "A=1",
		})
	}
	for _, c := range []struct{ url, signature string }{
		{"https://example.com", "cUuG1lyLUgKhp84ygD800DyvV2WB7Xf728rBfD+5Vhs="},
		{"https://example.com/", "cUuG1lyLUgKhp84ygD800DyvV2WB7Xf728rBfD+5Vhs="},
		{"https://example.com?x=1", "3cylQ5lvp/7NCkgIEn2SvNvhTFkYLKpNiA7MCwMikoA="},
	} {
		all = append(all, reported{
			source: "TrueLayer/truelayer-signing#80, hookdeck/webhook-skills#176", scheme: "square", secret: "sq-key",
			more: []string{"--url", c.url}, headers: "x-square-hmacsha256-signature: " + c.signature, body: "{}",
		})
	}
	return all
}

func reportedStandard() []reported {
	of := func(source, secret, id, signature string) reported {
		return reported{
			source: source, scheme: "standard", secret: secret, body: `{"type":"a"}`,
			headers: "webhook-timestamp: 1700000000\nwebhook-id: " + id + "\nwebhook-signature: " + signature,
		}
	}
	refused := func(c reported, says string) reported {
		c.status, c.says = 1, says
		return c
	}
	const recut = "v1,y0ERnI6bJJCzWwL8Fl6LtRkSOb3Oi0s89M/xE4DBQv0="
	whole, cut := of("one text, two readings", standardSecret, "a.1700000000", recut), of("the same", standardSecret, "a", recut)
	whole.body, cut.body = "{}", "1700000000.{}"
	return []reported{
		of("hookdeck/outpost", standardSecret, "order:1234", "v1,DU+07MuuT8ETqIamTw4eSD0hkjVJLBRyiHRV6/LRjiE="),
		of("standard-webhooks/standard-webhooks#30", standardSecret, "evt/1", "v1,eWNsfKKk24BVTA6jnnoMh/9M5wpSuHRPd6zmGJUFILg="),
		of("standard-webhooks/standard-webhooks#30", standardSecret, "a=b+c", "v1,5hvoLJk8+QvjaE7D+8e7+53f/AziWUTLmeIrFDQWUNg="),
		of("129 characters", standardSecret, strings.Repeat("x", 129), "v1,XuI2FCoQCccms9cPnihYynCxBjYEbDkJfaRsys1J7bI="),
		refused(of("257 characters", standardSecret, strings.Repeat("x", 257), recut), "malformed_signed_header"),
		refused(of("a blank", standardSecret, "a b", recut), "malformed_signed_header"),
		refused(of("not ASCII", standardSecret, "é", recut), "malformed_signed_header"),
		refused(whole, "malformed_signed_header"),
		cut,
		of("standard-webhooks/standard-webhooks#235", "v1,"+standardSecret, "msg_1", "v1,wA+CdiiXfu0MZ+FAsZFk6nzt3I+vAM/OnJDnzK6Cgc0="),
		of("openai/openai-node#1887", "whsec_AAECAwQFBgcICQoLDA0ODw==", "msg_1", "v1,JO6ZULSYZM+GmcaxAyDLYOLp969vmtDHA9ICjCQXUls="),
		of("without padding", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGA", "msg_1", "v1,d1Bb3YW/m+3YIMS1sS010/NrRdIES10APfcGm/ny8zE="),
		refused(of("polarsource/polar#13522", "whsec_polar_AbCdEfGh1234567890", "msg_1", "v1,Np1aJqQ5D9+XH5UbVwCU0jtu25F7bFiewFCKa5ZYg6k="), "key text"),
		{
			source: "docs.svix.com, how manual verification works", scheme: "standard", secret: "whsec_plJ3nmyCDGBKInavdOK15jsl",
			headers: "svix-id: msg_loFOjxBNrRLzqYUf\nsvix-timestamp: 1731705121\nsvix-signature: v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=",
			body:    `{"event_type":"ping","data":{"success":true}}`, at: "1731705121",
		},
	}
}

func reportedAlgorithms() []reported {
	shared := reported{
		source: "twilio.com/docs/usage/webhooks/webhook-shared-keys", scheme: "twilio", secret: "sharedsecret",
		more: []string{"--url", "https://example.com/a"}, body: "CallSid=CA1&Digits=1",
		headers: "X-Twilio-Webhooks-Signature-Settings: key=webhooks_sharedkey_1,algorithm=HMAC_SHA256\n" +
			"X-Twilio-Signature: qxhOD1Yi1xuIlpMdim7UEJV17AtVQTXchNy0mhJyeZY=",
	}
	unannounced, unknown := shared, shared
	_, unannounced.headers, _ = strings.Cut(shared.headers, "\n")
	unknown.headers = strings.Replace(shared.headers, "SHA256", "MD5", 1)
	unannounced.status, unannounced.says = 1, "malformed_signature"
	unknown.status, unknown.says = 1, "announces an algorithm other than"
	return []reported{shared, unannounced, unknown}
}

func reportedLists() []reported {
	const (
		stripeMAC = "c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925"
		paddleMAC = "6b308349f53e06f91d388a3d433fbf83cef953ae4efda9eec1e364c6408837f0"
	)
	stripe := func(header string, status int) reported {
		return reported{source: "stripe/stripe-go#413, stripe-php#1984", scheme: "stripe", secret: "whsec_test", headers: "Stripe-Signature: " + header, body: `{"id":"evt_1"}`, status: status}
	}
	return []reported{
		stripe("t=1700000000,v1=zz,v1="+stripeMAC, 0),
		stripe("t=1700000000,v1="+stripeMAC+",v1=zz", 0),
		stripe("t=1700000000,v1=zz", 1),
		{source: "the same for Paddle", scheme: "paddle", secret: "k", headers: "Paddle-Signature: ts=1700000000;h1=zz;h1=" + paddleMAC, body: "{}"},
	}
}

func reportedDefaults() []reported {
	linear := func(status int, says string, more ...string) reported {
		return reported{
			source: "linear/linear#1268", scheme: "linear", secret: "k", more: more, status: status, says: says,
			headers: "Linear-Signature: 6d1d2d90250f98b931e35d9edbfd9a3560dba1fe1e8bf1cf5267f4ca139c9726",
			body:    `{"type":"Issue","webhookTimestamp":1699999880000}`,
		}
	}
	return []reported{
		linear(0, ""), linear(1, "stale", "--tolerance", "1m"), linear(0, "", "--tolerance", "5m"),
	}
}
