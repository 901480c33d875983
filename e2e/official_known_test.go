package e2e

import (
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// knownAnswer is a delivery with a signature that a provider has published. It
// does not come from us, so it proves that the libraries are used correctly.
type knownAnswer struct {
	scheme  string
	source  string
	secret  string
	at      time.Time
	url, id string
	body    string
	headers []harness.Header
}

func knownAnswers() []knownAnswer {
	standard := func(scheme, prefix string) knownAnswer {
		return knownAnswer{
			scheme: scheme, source: "Standard Webhooks, specification 1.0.0",
			secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", at: time.Unix(1614265330, 0),
			id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: `{"test": 2432232314}`,
			headers: []harness.Header{
				{Name: prefix + "-id", Value: "msg_p5jXN8AQM9LWM0D4loKWxJek"},
				{Name: prefix + "-timestamp", Value: "1614265330"},
				{Name: prefix + "-signature", Value: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
			},
		}
	}
	github := func(scheme string) knownAnswer {
		return knownAnswer{
			scheme: scheme, source: "docs.github.com, validating webhook deliveries",
			secret: "It's a Secret to Everybody", body: "Hello, World!",
			headers: []harness.Header{{Name: "X-Hub-Signature-256", Value: "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}},
		}
	}
	return []knownAnswer{
		standard("standard", "webhook"),
		standard("svix", "svix"),
		standard("gitlab", "webhook"),
		github("github"),
		github("meta"),
		{
			scheme: "slack", source: "docs.slack.dev, verifying requests from Slack",
			secret: "8f742231b10e8888abcd99yyyzzz85a5", at: time.Unix(1531420618, 0),
			body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V" +
				"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=" +
				"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN" +
				"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
			headers: []harness.Header{
				{Name: "X-Slack-Request-Timestamp", Value: "1531420618"},
				{Name: "X-Slack-Signature", Value: "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"},
			},
		},
		{
			scheme: "twilio", source: "twilio.com/docs, webhooks security",
			secret: "12345", url: "https://mycompany.com/myapp.php?foo=1&bar=2",
			body:    "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
			headers: []harness.Header{{Name: "X-Twilio-Signature", Value: "RSOYDt4T1cUTdK1PDd93/VVr8B8="}},
		},
		{
			scheme: "square", source: "developer.squareup.com, webhooks, step 3",
			secret: "Ibxx_5AKakO-3qeNVR61Dw", url: "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9",
			body: `{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification",` +
				`"event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z",` +
				`"data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}`,
			headers: []harness.Header{{Name: "x-square-hmacsha256-signature", Value: "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4="}},
		},
		{
			scheme: "sendgrid", source: "sendgrid-go, helpers/eventwebhook",
			secret: "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
			at:     time.Unix(1600112502, 0),
			body: `[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address",` +
				`"sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",` +
				`"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",` +
				`"smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]` + "\r\n",
			headers: []harness.Header{
				{Name: "X-Twilio-Email-Event-Webhook-Timestamp", Value: "1600112502"},
				{
					Name:  "X-Twilio-Email-Event-Webhook-Signature",
					Value: "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=",
				},
			},
		},
	}
}

// TestOfficialKnownAnswers: the libraries produce and accept the published
// signatures, and our own signers produce them too.
func TestOfficialKnownAnswers(t *testing.T) {
	t.Parallel()
	libraries := officialLibraries(t)
	for _, k := range knownAnswers() {
		t.Run(k.scheme, func(t *testing.T) {
			s := named(t, specimens(), k.scheme)
			d := harness.Delivery{Headers: k.headers, Body: []byte(k.body)}
			o := outgoing{k.secret, d.Body, k.at, k.url, k.id}
			if s.sign != nil && s.key == "" {
				k.equals(t, "documentation", s.sign(o))
			}
			for _, l := range s.libraries(libraries) {
				if l.Signs {
					k.equals(t, l.String(), l.sign(t, o))
				}
				if l.Verifies && l.clocked() {
					if err := l.verify(t, d, k.secret, k.url, k.at); err != nil {
						t.Errorf("%v refuses what stands in %s: %v", l, k.source, err)
					}
				}
			}
		})
	}
}

func (k knownAnswer) equals(t *testing.T, signer string, headers []harness.Header) {
	t.Helper()
	made := harness.Delivery{Headers: headers}
	for _, h := range k.headers {
		if got := made.Get(h.Name); got != h.Value {
			t.Errorf("%s: %s is %q, not %q as in %s", signer, h.Name, got, h.Value, k.source)
		}
	}
}

func named(t *testing.T, list []specimen, name string) specimen {
	t.Helper()
	for _, s := range list {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("there is no specimen of %s", name)
	return specimen{}
}
