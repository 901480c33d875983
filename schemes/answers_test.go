package schemes

import (
	"net/http"
	"testing"
	"time"
)

// TestKnownAnswers has deliveries whose signature was not made here.
func TestKnownAnswers(t *testing.T) {
	const (
		standardID   = "msg_p5jXN8AQM9LWM0D4loKWxJek"
		standardTime = "1614265330"
		standardBody = `{"test": 2432232314}`
		v1           = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
		v1a          = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
		secret       = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		public       = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="

		slackBody  = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
		squareBody = `{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","created_at":"2022-07-13T20:30:59.037339943Z","data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}`
		gridKey    = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
		gridBody   = `[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA","sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]` + "\r\n"
	)
	webhook := func(signature string) http.Header {
		return http.Header{"Webhook-Id": {standardID}, "Webhook-Timestamp": {standardTime}, "Webhook-Signature": {signature}}
	}
	svix := func(signature string) http.Header {
		return http.Header{"Svix-Id": {standardID}, "Svix-Timestamp": {standardTime}, "Svix-Signature": {signature}}
	}
	standard, _ := Get("standard")
	github, _ := Get("github")
	stripe, _ := Get("stripe")
	slack := mustCompile(t, `{"signature":{"header":"X-Slack-Signature","prefix":"v0="},"signed":"v0:{timestamp}:{body}","timestamp":{"header":"X-Slack-Request-Timestamp"}}`)
	square := mustCompile(t, `{"signature":{"header":"X-Square-Hmacsha256-Signature","encoding":"base64"},"signed":"{url}{body}","json_object":true}`)
	sendgrid := mustCompile(t, `{"algorithm":"ecdsa-p256","key":"spki","signature":{"header":"X-Sig","encoding":"base64"},"signed":"{timestamp}{body}","timestamp":{"header":"X-Time"}}`)
	for _, c := range []struct {
		name, source string
		scheme       *Scheme
		secret       string
		request      Request
		body         string
		at           int64
		id           string
	}{
		{"standard", "Standard Webhooks, libraries' tests", standard, secret, Request{Header: webhook(v1)}, standardBody, 1614265330, standardID},
		{"standard, public key", "the same", standard, public, Request{Header: webhook(v1a)}, standardBody, 1614265330, standardID},
		{"standard, both", "the same", standard, public, Request{Header: webhook(v1 + " " + v1a)}, standardBody, 1614265330, standardID},
		{"standard, both and the HMAC's secret", "the same", standard, secret, Request{Header: webhook(v1a + " " + v1)}, standardBody, 1614265330, standardID},
		{"svix", "the same", standard, secret, Request{Header: svix(v1)}, standardBody, 1614265330, standardID},
		{
			"github", "docs.github.com, Validating webhook deliveries", github, "It's a Secret to Everybody",
			Request{Header: http.Header{"X-Hub-Signature-256": {"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}}},
			"Hello, World!", 0, "",
		},
		{
			"stripe", "openssl dgst -sha256 -hmac, over the text that docs.stripe.com/webhooks describes", stripe, "whsec_stripe",
			Request{Header: http.Header{"Stripe-Signature": {"t=1760000000,v1=0457735acab914013954c7899ec1e28b9f8405a15989b54aac2ccd7890dcede5,v0=00"}}},
			`{"id":"evt_1"}`, 1760000000, "evt_1",
		},
		{
			"slack", "docs.slack.dev, Verifying requests from Slack", slack, "8f742231b10e8888abcd99yyyzzz85a5",
			Request{Header: http.Header{"X-Slack-Signature": {"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}, "X-Slack-Request-Timestamp": {"1531420618"}}},
			slackBody, 1531420618, "",
		},
		{
			"square", "developer.squareup.com, Verify and validate an event notification", square, "Ibxx_5AKakO-3qeNVR61Dw",
			Request{
				Header: http.Header{"X-Square-Hmacsha256-Signature": {"GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4="}},
				Scheme: "https", Host: "webhook.site", URI: "/679a4f3a-dcfa-49ee-bac5-9d0edad886b9",
			},
			squareBody, 0, "",
		},
		{
			"sendgrid", "sendgrid-go, helpers/eventwebhook", sendgrid, gridKey,
			Request{Header: http.Header{"X-Sig": {"MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="}, "X-Time": {"1600112502"}}},
			gridBody, 1600112502, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := time.Unix(c.at, 0)
			facts, err := verifyBy(t, c.scheme, []string{c.secret}, c.request, []byte(c.body), at)
			if err != nil || facts.ID != c.id {
				t.Errorf("%v, id %q (%s)", err, facts.ID, c.source)
			}
			if _, err := verifyBy(t, c.scheme, []string{c.secret}, c.request, []byte(c.body+" "), at); reasonOf(err) != "signature_mismatch" {
				t.Errorf("another body: %v", err)
			}
		})
	}
}

// TestStandardTellsItsSignaturesApart shows that the secret alone decides what
// a signature is tried with.
func TestStandardTellsItsSignaturesApart(t *testing.T) {
	s, _ := Get("standard")
	const (
		secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
		v1     = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
		v1a    = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
		other  = "v1a,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
	)
	verify := func(signature string, change func(http.Header), secrets ...string) string {
		h := http.Header{"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"}, "Webhook-Signature": {signature}}
		if change != nil {
			change(h)
		}
		_, err := verifyBy(t, s, secrets, Request{Header: h}, []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0))
		return reasonOf(err)
	}
	for _, c := range []struct {
		name, signature string
		change          func(http.Header)
		secrets         []string
		want            string
	}{
		{"a signature of another kind", v1a, nil, []string{secret}, "malformed_signature"},
		{"one of a later version", "v2" + v1[2:], nil, []string{secret}, "malformed_signature"},
		{"the HMAC called v1a", "v1a" + v1[2:], nil, []string{public}, "malformed_signature"},
		{"the HMAC called v1a, and its secret", "v1a" + v1[2:], nil, []string{secret}, "malformed_signature"},
		{"another kind is not even read", v1 + " v1a,rubbish", nil, []string{secret}, ""},
		{"secrets of both kinds", v1a, nil, []string{secret, public}, ""},
		{"one of several", other + " " + v1a, nil, []string{public}, ""},
		{"as many as are tried", other + " " + other + " " + other + " " + v1a, nil, []string{public}, ""},
		{"too many to try", other + " " + other + " " + other + " " + other + " " + v1a, nil, []string{public}, "malformed_signature"},
		{"headers of both sets", v1, func(h http.Header) { h["Svix-Id"] = []string{"msg_other"} }, []string{secret}, "malformed_signature"},
		{"half of each set", v1, func(h http.Header) { h["Svix-Id"] = h["Webhook-Id"]; delete(h, "Webhook-Id") }, []string{secret}, "malformed_signature"},
		{"another id", v1, func(h http.Header) { h["Webhook-Id"] = []string{"msg_other"} }, []string{secret}, "signature_mismatch"},
		{"another time", v1, func(h http.Header) { h["Webhook-Timestamp"] = []string{"1614265331"} }, []string{secret}, "signature_mismatch"},
		{"an id with a dot", v1, func(h http.Header) { h["Webhook-Id"] = []string{"a.b"} }, []string{secret}, "malformed_signed_header"},
		{"no id", v1, func(h http.Header) { delete(h, "Webhook-Id") }, []string{secret}, "missing_signed_header"},
		{"no signature", "", nil, []string{secret}, "missing_signature"},
	} {
		if got := verify(c.signature, c.change, c.secrets...); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
