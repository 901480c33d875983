package webhook

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// definedCase is a delivery of a provider without a built-in scheme, with a
// definition for it.
type definedCase struct {
	source, secret, headers, body, definition string
	at                                        string // Unix seconds; default: 1700000000
	more                                      []string
	// says is a part of the output if the delivery is not accepted. why says in
	// words which feature definitions lack.
	says, why string
}

// TestDefinedCases has signatures that providers have published, and cases from
// public reports. Each is accepted with a definition, and rejected if a byte of
// the body is changed. For the others the case says why no definition can
// accept them.
func TestDefinedCases(t *testing.T) {
	for _, c := range definedCases() {
		t.Run(c.source, func(t *testing.T) {
			definition := tempFile(t, []byte("scheme_definition {\n"+c.definition+"\n}\n"))
			if c.at == "" {
				c.at = "1700000000"
			}
			args := append([]string{"verify", "--at", c.at, "--definition", definition, "--secret", c.secret, "--headers", tempFile(t, []byte(c.headers))}, c.more...)
			o := run(t, []byte(c.body), args...)
			if c.why != "" {
				if o.status == 0 || !strings.Contains(o.out+o.errOut, c.says) {
					t.Errorf("status %d, want %q: %s\n%s%s", o.status, c.says, c.why, o.out, o.errOut)
				}
				return
			}
			if o.status != 0 {
				t.Fatalf("status %d\n%s%s", o.status, o.out, o.errOut)
			}
			altered := []byte(c.body)
			altered[len(altered)/2] ^= 1
			if o := run(t, altered, args...); o.status != 1 || o.row("reason") != "signature_mismatch" {
				t.Errorf("altered: status %d\n%s%s", o.status, o.out, o.errOut)
			}
		})
	}
}

// definedCases lists headers other than the signature only if they matter.
func definedCases() []definedCase {
	const (
		boxBody = `{"type":"webhook_event","webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED","source":{"id":"1234567890","type":"file","name":"Test.txt"}}`
		box     = "Box-Delivery-Timestamp: 2020-01-01T00:00:00-07:00\nBox-Signature-Primary: 6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI=\nBox-Signature-Secondary: v+1CD1Jdo3muIcbpv5lxxgPglOqMfsNHPV899xWYydo="

		hubspotURL  = "https://webhook.site/335453f5-94b3-49d9-b684-a55354d4b8df"
		hubspotBody = `[{"eventId":531833541,"subscriptionId":3923621,"portalId":48807704,"appId":16111050,"occurredAt":1752613920733,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":138017612137,"changeFlag":"CREATED","changeSource":"CRM_UI","sourceId":"userId:76023669"}]`
		hubspot     = "X-HubSpot-Request-Timestamp: 1752613922216\nX-HubSpot-Signature-v3: gbj1XPRvUt0noT7i7fXfTzOD4sLzQmf0VT28ZYq0EYg="
		hubspotKey  = "cfc68c0b-4b4e-4ef8-b764-95350e4ea479"
		hubspotForm = "signature header X-HubSpot-Signature-v3 {\nencoding base64\n}\ntimestamp header X-HubSpot-Request-Timestamp unit ms\nsigned "
	)
	const (
		older   = "t=1700000000,v1=2b5e6fc3cac3432cb8a3476c75510114966afb97256d20b9198872431b7ceca6"
		newer   = "t=1700000000,v1=c6ef4734033cee2367414a0939385eca0397754aa7a59716da7463a9298b5146"
		persona = "signature header Persona-Signature {\nseparator ,\nnames v1\n}\ntimestamp field t\nsigned {timestamp}.{body}"
	)
	boxKey := func(which string) string {
		return "signature header Box-Signature-" + which + " {\nencoding base64\n}\ntimestamp header Box-Delivery-Timestamp unit rfc3339\njson_object\nsigned {body}{timestamp}"
	}
	compressed, _ := base64.StdEncoding.DecodeString("H4sIAAAAAAACA6tWKqksSFWyUspNLS5OTE/Vy0stV6oFANUTSMoWAAAA")
	return []definedCase{
		{
			source: "Box, its primary key", secret: "SamplePrimaryKey", headers: box, body: boxBody, definition: boxKey("Primary"),
			at: "1577862000",
		},
		{
			source: "Box, its secondary key", secret: "SampleSecondaryKey", headers: box, body: boxBody, definition: boxKey("Secondary"),
			at: "1577862000",
		},
		{
			source: "Box, both keys in one definition", secret: "SamplePrimaryKey", headers: box, body: boxBody,
			definition: boxKey("Primary") + "\nalias {\nBox-Signature-Primary Box-Signature-Secondary\nBox-Delivery-Timestamp X-Other\n}",
			at:         "1577862000",
			says:       "malformed_signature",
			why:        "a definition has one signature header; an alias is for deliveries that have the other one alone",
		},
		{
			source: "Persona, the key of its last group", secret: "k", body: "{}",
			headers: "Persona-Signature: " + older + " " + newer, definition: persona,
		},
		{
			source: "Persona, the key of its first group", secret: "k", body: "{}",
			headers: "Persona-Signature: " + newer + " " + older, definition: persona,
			says: "signature_mismatch",
			why:  "a definition has one list of entries and no groups of them; Persona's need that while a key is exchanged",
		},
		{
			source: "Twitch", secret: "s3cre77890ab", body: `{"subscription":{"type":"channel.follow"}}`,
			headers:    "Twitch-Eventsub-Message-Id: e76c6bd4-55c9-4987-8304-da1588d8988b\nTwitch-Eventsub-Message-Timestamp: 2023-11-14T22:13:20.634234626Z\nTwitch-Eventsub-Message-Signature: sha256=f89d2a0b2a321dd09d77f57fc624502df423b0b493b249c5e777f9117e5d03eb",
			definition: "signature header Twitch-Eventsub-Message-Signature {\nprefix sha256=\n}\ntimestamp header Twitch-Eventsub-Message-Timestamp unit rfc3339\nid header Twitch-Eventsub-Message-Id\nsigned {id}{timestamp}{body}",
			says:       "it cannot be told where {id} ends",
			why:        "a definition cannot say that an id has 36 characters",
		},
		{
			source: "orbcorp/orb-node#156", secret: "k", body: "{}",
			headers:    "X-Orb-Timestamp: 2023-11-14T22:13:20.000\nX-Orb-Signature: v1=3d1844d974625b3d293aa2985791450e9bee82777f4df2eef7abbe83e715d4b6",
			definition: "signature header X-Orb-Signature {\nprefix v1=\n}\ntimestamp header X-Orb-Timestamp unit rfc3339\nsigned v1:{timestamp}:{body}",
		},
		{
			source: "HubSpot v3, its URL written out", secret: hubspotKey, headers: hubspot, body: hubspotBody,
			definition: hubspotForm + "POST" + hubspotURL + "{body}{timestamp}", at: "1752613922",
		},
		{
			source: "HubSpot v3, the URL of the request", secret: hubspotKey, headers: hubspot, body: hubspotBody,
			definition: hubspotForm + "{method}{url}{body}{timestamp}", at: "1752613922", more: []string{"--url", hubspotURL},
			says: "it cannot be told where {method} ends",
			why:  "a definition cannot say that a method is of capitals, nor that bodies are JSON arrays",
		},
		{
			source: "HubSpot v1", secret: "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy", body: "[]", headers: "X-HubSpot-Signature: 232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de",
			definition: "algorithm sha256\nsignature header X-HubSpot-Signature",
			says:       "algorithm: this is not known here",
			why:        "a definition has no plain hash over the secret and the body",
		},
		{
			source: "contentful/node-apps-toolkit#820", secret: "k", body: "{}", headers: "x-contentful-signature: f3544e199a95a3a16abac436bcb8396136c1fbdb3f2b0febf686d52052c4ad56",
			definition: "signature header x-contentful-signature\nsigned \"{method}\\n{path}\\n{body}\"",
			says:       "signed: one of the variables is not known",
			why:        "a definition has the whole URL and not the path alone, and no list of headers that a header names",
		},
		{
			source: "GetStream/stream-chat-php#168, stream-node#294", secret: "k", body: string(compressed),
			headers:    "Content-Encoding: gzip\nX-Signature: 49ae507dcf418ac2d0f37dfccd5bb52b824f234d873c71f62a8d060ecd8e8549",
			definition: "signature header X-Signature",
			says:       "the body is compressed with gzip, and was signed before it was compressed",
			why:        "a definition has no decompression; the cause is named",
		},
		{
			source: "Sinch Voice", secret: "BeIukql3pTKJ8RGL5zo0DA==", body: "{}", headers: "authorization: application 669E367E-6BBA-48AB-AF15-266871C28135:Tg6fMyo8mj9pYfWQ9ssbx3Tc1BNC87IEygAfLbJqZb4=",
			definition: "key base64\nsignature header authorization {\nencoding base64\n}\nsigned \"{method}\\n{body_md5}\"",
			says:       "signed: one of the variables is not known",
			why:        "a definition has no digest of the body",
		},
		{
			source: "developer.integrated.finance", secret: "k", body: "{}", headers: "X-Time: 1700000000\nX-Sig: 768c0d83d07d027e60402ef675c0711bf85b5cfa1b39f5c8739a0ac7a710b001",
			definition: "signature header X-Sig\ntimestamp header X-Time\nsigned {timestamp}.{body_sha256}",
			says:       "signed: one of the variables is not known",
			why:        "a definition has no digest of the body",
		},
		{
			source: "django-anymail#48", secret: "k", body: "mandrill_events=%5B%7B%22event%22%3A%22send%22%7D%5D", headers: "X-Mandrill-Signature: WbFsWDwk7bHZinUlGxxzRq/G074=",
			definition: "algorithm hmac-sha1\nsignature header X-Mandrill-Signature {\nencoding base64\n}\nsigned {url}{form}", more: []string{"--url", "https://example.com/in?a=1"},
			says: "signed: one of the variables is not known",
			why:  "a definition has no sorted fields of a form; as Twilio's they are signed without anything in between, and need their own protection against cuts",
		},
		{
			source: "Mailgun, Adyen, Wise, SNS, PayPal, Plaid: signatures in the body and keys that are fetched", secret: "k", body: "{}", headers: "A: b",
			definition: "signature body signature.signature",
			says:       "signature has a word that is not known",
			why:        "the signature of a definition is in a header, and covers the body",
		},
		{
			source: "Okta, Chargebee, Microsoft Graph: tokens", secret: "sometoken", body: "{}", headers: "Authorization: sometoken",
			definition: "algorithm token\nsignature header Authorization",
			says:       "algorithm: this is not known here",
			why:        "a token proves nothing of the body, and there is no assurance that would say so yet",
		},
	}
}

// TestKindsThatWork has unusual deliveries that providers and proxies send,
// signed with the secret k.
func TestKindsThatWork(t *testing.T) {
	sign := func(signed string) string { return hex.EncodeToString(mac([]byte("k"), signed)) }
	striped := func(header string) string {
		return "Stripe-Signature: " + strings.ReplaceAll(header, "MAC", sign("1700000000.{}"))
	}
	slack := func(at string) string {
		return "X-Slack-Request-Timestamp: " + at + "\nX-Slack-Signature: v0=" + sign("v0:"+at+":{}")
	}
	hub := func(body string) string { return "X-Hub-Signature-256: sha256=" + sign(body) }
	type kind struct{ scheme, headers, body, reason string } // reason: empty if it is accepted
	kinds := map[string]kind{
		"v1 before t":                       {"stripe", striped("v1=MAC,t=1700000000"), "{}", ""},
		"foreign and older entries":         {"stripe", striped("t=1700000000,x=y,v0=00,v1=MAC"), "{}", ""},
		"a blank behind the comma":          {"stripe", striped("t=1700000000, v1=MAC"), "{}", "malformed_signature"}, // alphagov/pay-connector#887
		"a signature header twice":          {"github", hub("{}") + "\n" + hub("{}"), "{}", "malformed_signature"},    // w3c-ccg/http-signatures#63
		"joined by commas":                  {"github", hub("{}") + "," + strings.TrimPrefix(hub("{}"), "X-Hub-Signature-256: "), "{}", "malformed_signature"},
		"hex in capitals":                   {"github", "X-Hub-Signature-256: sha256=" + strings.ToUpper(sign("{}")), "{}", ""},
		"301 seconds old":                   {"slack", slack("1699999699"), "{}", "stale"}, // stripe/stripe-node#1778
		"300 seconds old":                   {"slack", slack("1699999700"), "{}", ""},
		"milliseconds for seconds":          {"slack", slack("1700000000000"), "{}", "malformed_signed_header"}, // adcp#436
		"milliseconds in the signature's t": {"stripe", "Stripe-Signature: t=1700000000000,v1=" + sign("1700000000000.{}"), "{}", "malformed_signature"},
	}
	// octokit/webhooks.js#71, #76, #1155; mockoon#1126; runatlantis/atlantis#244
	for _, body := range []string{
		"", "payload=%7B%7D", `{"a":"\ud800"}`, `{"a":"\/"}`, `{"a":"\u00e9"}`, `{"a":12345678901234567890123}`, "{}\n", "{}\r\n", "{\n  \"a\": 1\n}", "{\"a\":\"\u2028\"}", "\xff\x00",
	} {
		kinds[fmt.Sprintf("the body %q", body)] = kind{"github", hub(body), body, ""}
	}
	for name, c := range kinds {
		t.Run(name, func(t *testing.T) {
			o := run(t, []byte(c.body), "verify", "--at", "1700000000", "--scheme", c.scheme, "--secret", "k", "--headers", tempFile(t, []byte(c.headers)))
			if o.row("reason") != c.reason || (o.status == 0) != (c.reason == "") {
				t.Errorf("status %d, want %q\n%s%s", o.status, c.reason, o.out, o.errOut)
			}
		})
	}
}

// TestOldToken: abiosoft/caddy-git#46. The output names GitLab's token header,
// whichever secret is given, and does not show the token.
func TestOldToken(t *testing.T) {
	headers := tempFile(t, []byte("X-Gitlab-Event: Push Hook\nX-Gitlab-Token: sometoken"))
	for secret, status := range map[string]int{standardSecret: 1, "sometoken": 2} {
		o := run(t, []byte("{}"), "verify", "--scheme", "gitlab", "--secret", secret, "--headers", headers)
		if said := o.out + o.errOut; o.status != status || !strings.Contains(said, "X-Gitlab-Token") || !strings.Contains(said, "a secret that signs") || strings.Contains(said, "sometoken") {
			t.Errorf("%s: status %d\n%s", secret, o.status, said)
		}
	}
}
