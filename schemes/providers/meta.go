package providers

import (
	"net/url"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// meta is Facebook, Instagram, Messenger and WhatsApp. They sign only the body,
// with the app secret. A body holds changes to several objects of one kind, and
// that kind serves as its event type.
func init() {
	engine.Define("meta", engine.Definition{
		Source: "developers.facebook.com, Graph API: Webhooks, Getting Started",
		Witness: engine.Witness{
			Published: "docs.github.com, Validating webhook deliveries",
			Signs:     "whatsapp 0.0.5-Alpha (Node)",
			Note:      "The published signature is GitHub's, which has the same form. The library does not export its function.",
		},
		Sending: engine.Sending{
			Retries: "at once, then less often for 36 hours; WhatsApp for 7 days",
		},
		Signature: engine.SignatureForm{Header: "X-Hub-Signature-256", Prefix: "sha256="},
		Event:     engine.EventPlace{Body: "object"},
		Handshake: metaHandshake,
	})
}

// metaHandshake is the verification request of the Graph API's webhooks
// (developers.facebook.com), in the form that WebSub defines.
var metaHandshake = &engine.Handshake{Asks: "GET with `hub.mode`, `hub.challenge` and `hub.verify_token`, not signed", Query: func(query url.Values, known func(string) bool) (*engine.Reply, error) {
	const mode, token, challenge = "hub.mode", "hub.verify_token", "hub.challenge"
	if _, asked := query[mode]; !asked {
		return nil, nil
	}
	for _, name := range []string{mode, token, challenge} {
		if len(query[name]) != 1 {
			return nil, engine.Refuse(engine.MalformedSignature, "the handshake's query does not have "+name+" once")
		}
	}
	switch {
	case query.Get(mode) != "subscribe":
		return nil, engine.Refuse(engine.MalformedSignature, "the handshake's hub.mode is not subscribe")
	case !known(query.Get(token)):
		return nil, engine.Refuse(engine.SignatureMismatch, "the handshake's hub.verify_token is not the one that is configured")
	case !engine.IsChallenge(query.Get(challenge)):
		return nil, engine.RefuseChallenge(challenge)
	}
	return &engine.Reply{ContentType: engine.ContentTypeText, Body: []byte(query.Get(challenge))}, nil
}}
