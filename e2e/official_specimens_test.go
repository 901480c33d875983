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

// content is a body and the query of its URL.
type content struct {
	kind  string
	mime  string
	body  []byte
	query string
}

// specimen holds everything that is needed to send one provider's deliveries.
type specimen struct {
	name   string // the scheme's name, except for Svix, which is another form of standard
	scheme string

	secret string // for the gateway and the libraries that verify
	key    string // for the signer, if it is different
	wrong  string // another key of the same kind

	signature string           // the header
	id        string           // the header of the signed id
	timed     bool             // the send time is signed
	located   bool             // the URL is signed
	unsigned  []harness.Header // other headers that the provider sends
	options   []string         // of the directive

	contents func(at time.Time) []content // nil: jsonContents

	// sign is set if the provider's libraries verify but do not sign. It
	// follows the provider's documentation, and the libraries check it.
	sign func(outgoing) []harness.Header
}

// libraries returns the libraries for the specimen.
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

// request returns the delivery without a signature.
func (s specimen) request(c content, path string) harness.Delivery {
	return harness.Delivery{
		Method: http.MethodPost, Path: path + c.query, Body: c.body,
		Headers: append([]harness.Header{{Name: "Content-Type", Value: c.mime}}, s.unsigned...),
	}
}

// specimens are created once per run, because some have generated keys.
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
			// The time is in the body, which must be JSON.
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

// asymmetric gives the specimen a new pair of keys. The public key is not a
// canary.
func asymmetric(s specimen, pair func() (public, private string)) specimen {
	s.secret, s.key = pair()
	_, s.wrong = pair()
	return s
}

// jsonContents returns bodies that can contain Linear's time and that change if
// they are parsed and written again. Each contains n17, which a test changes to
// n16.
func jsonContents(at time.Time) []content {
	const mime = "application/json"
	ms := at.UnixMilli()
	return []content{
		{kind: compactJSON, mime: mime, body: fmt.Appendf(nil, `{"event":"order.created","webhookTimestamp":%d,"data":{"id":"n17","name":"Zoë 😀"}}`, ms)},
		{kind: anyJSON, mime: mime, body: fmt.Appendf(nil, "{\r\n  \"event\": \"order\\u002ecreated\",\r\n  \"webhookTimestamp\": %d,\r\n  \"total\": 1.0, \"id\": \"n17\"\r\n}\r\n", ms)},
		{kind: anyBytes, mime: mime, body: fmt.Appendf(nil, "{\"id\":\"n17\",\"webhookTimestamp\":%d}\x00\xff\xfe\xc3(\r\n", ms)},
	}
}

// twilioContents returns a form, which Twilio signs field by field, and a body
// whose digest it signs in the URL.
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
