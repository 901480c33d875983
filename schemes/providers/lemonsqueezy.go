package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// lemonsqueezy signs only the body. No value in the delivery identifies the
// event.
func init() {
	engine.Define("lemonsqueezy", engine.Definition{
		Source:    "docs.lemonsqueezy.com: Webhooks, Signing requests",
		Signature: engine.SignatureForm{Header: "X-Signature"},
		Event:     engine.EventPlace{Header: "X-Event-Name", Body: "meta.event_name"},
	})
}
