package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// Kinds of bodies; see official/node/libraries.mjs.
const (
	compactJSON = "compact"
	anyJSON     = "json"
	anyBytes    = "any"
)

// content is a body, and the query of the URL it goes to.
type content struct {
	kind  string
	mime  string
	body  []byte
	query string
}

// specimen is what it takes to send one provider's deliveries.
type specimen struct {
	name   string // the scheme's, but for Svix, which is one more form of standard
	scheme string

	secret string // of the gateway and of the libraries that verify
	key    string // of who signs, where that is another
	wrong  string // another key of the same kind

	signature string           // the header
	id        string           // the header of the signed id
	timed     bool             // the send time is signed
	located   bool             // the URL is signed
	unsigned  []harness.Header // what the provider sends as well
	options   []string         // of the directive

	contents func(at time.Time) []content // nil: jsonContents

	// sign stands in where the provider's libraries verify but do not sign. It
	// follows the provider's documentation, and the libraries say whether rightly.
	sign func(outgoing) []harness.Header
}

// libraries are those that know the specimen.
func (s specimen) libraries(all []library) []library {
	var known []library
	for _, l := range all {
		if l.Scheme == s.name {
			known = append(known, l)
		}
	}
	return known
}

func (s specimen) signingKey() string {
	if s.key != "" {
		return s.key
	}
	return s.secret
}

func (s specimen) contentsAt(at time.Time) []content {
	if s.contents != nil {
		return s.contents(at)
	}
	return jsonContents(at)
}

// request is the delivery without a signature.
func (s specimen) request(c content, path string) harness.Delivery {
	return harness.Delivery{
		Method: http.MethodPost, Path: path + c.query, Body: c.body,
		Headers: append([]harness.Header{{Name: "Content-Type", Value: c.mime}}, s.unsigned...),
	}
}

// specimens are the same all through a run: some have keys of their own.
var specimens = sync.OnceValue(func() []specimen {
	standard := func(name, scheme, prefix string) specimen {
		return specimen{
			name: name, scheme: scheme,
			secret: "whsec_ZTJlLWNhbmFyeS1zdGFuZGFyZC05YjdlMmM0ZjE=",
			wrong:  "whsec_YS1zdHJhbmdlci1pbnN0ZWFkLW9mLXN0YW5kYXJk",
			id:     prefix + "-id", signature: prefix + "-signature", timed: true,
		}
	}
	list := []specimen{
		standard("standard", "standard", "webhook"),
		standard("svix", "standard", "svix"),
		standard("gitlab", "gitlab", "webhook"),
		{name: "github", signature: "X-Hub-Signature-256"},
		{name: "meta", signature: "X-Hub-Signature-256"},
		{name: "stripe", signature: "Stripe-Signature", timed: true},
		{name: "slack", signature: "X-Slack-Signature", timed: true, sign: signSlack},
		{
			name: "shopify", signature: "X-Shopify-Hmac-SHA256", sign: signShopify,
			unsigned: []harness.Header{
				{Name: "X-Shopify-Topic", Value: "orders/create"},
				{Name: "X-Shopify-Shop-Domain", Value: "example.myshopify.com"},
				{Name: "X-Shopify-API-Version", Value: "2025-10"},
				{Name: "X-Shopify-Webhook-Id", Value: "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"},
			},
		},
		{name: "twilio", signature: "X-Twilio-Signature", located: true, contents: twilioContents},
		{name: "square", signature: "x-square-hmacsha256-signature", located: true, sign: signSquare},
		{name: "paddle", signature: "Paddle-Signature", timed: true, sign: signPaddle},
		{
			name: "linear", signature: "Linear-Signature", timed: true, sign: signLinear, options: []string{"tolerance 5m"},
			// The time is in the body, which has to be JSON.
			contents: func(at time.Time) []content { return jsonContents(at)[:2] },
		},
		{name: "zoom", signature: "x-zm-signature", timed: true, sign: signZoom},
		asymmetric(specimen{name: "discord", signature: "X-Signature-Ed25519", timed: true, sign: signDiscord}, ed25519Pair),
		asymmetric(specimen{
			name: "sendgrid", signature: "X-Twilio-Email-Event-Webhook-Signature", timed: true, sign: signSendGrid,
		}, ecdsaPair),
	}
	for i := range list {
		s := &list[i]
		if s.scheme == "" {
			s.scheme = s.name
		}
		if s.secret == "" {
			s.secret, s.wrong = "e2e-canary-"+s.name+"-Zq7mWv2x", "a-stranger-instead-of-"+s.name
		}
	}
	return list
})

// asymmetric gives the specimen new keys. What verifies is public: no canary.
func asymmetric(s specimen, pair func() (public, private string)) specimen {
	s.secret, s.key = pair()
	_, s.wrong = pair()
	return s
}

// jsonContents are bodies that Linear's time fits into, and that change where they
// are parsed and written again. Each has an n17, which a test makes an n16.
func jsonContents(at time.Time) []content {
	const mime = "application/json"
	ms := at.UnixMilli()
	return []content{
		{kind: compactJSON, mime: mime, body: fmt.Appendf(nil, `{"event":"order.created","webhookTimestamp":%d,"data":{"id":"n17","name":"Zoë 😀"}}`, ms)},
		{kind: anyJSON, mime: mime, body: fmt.Appendf(nil, "{\r\n  \"event\": \"order\\u002ecreated\",\r\n  \"webhookTimestamp\": %d,\r\n  \"total\": 1.0, \"id\": \"n17\"\r\n}\r\n", ms)},
		{kind: anyBytes, mime: mime, body: fmt.Appendf(nil, "{\"id\":\"n17\",\"webhookTimestamp\":%d}\x00\xff\xfe\xc3(\r\n", ms)},
	}
}

// twilioContents are a form, which Twilio signs field by field, and a body that
// it signs by a digest in the URL.
func twilioContents(at time.Time) []content {
	list := []content{{
		kind: compactJSON, mime: "application/x-www-form-urlencoded",
		body: []byte("To=%2B18005551212&From=%2B14158675309&Digits=1234&Body=n17+Zo%C3%AB+%26+co&Empty="),
	}}
	for _, c := range jsonContents(at) {
		digest := sha256.Sum256(c.body)
		c.query = "&bodySHA256=" + hex.EncodeToString(digest[:])
		list = append(list, c)
	}
	return list
}
