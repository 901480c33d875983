package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// gocardless signs only the body. A body is a list of up to 250 events, so
// nothing in it identifies the delivery.
func init() {
	engine.Define("gocardless", engine.Definition{
		Source:    "developer.gocardless.com: Webhooks, Signing webhooks",
		Signature: engine.SignatureForm{Header: "Webhook-Signature"},
	})
}
