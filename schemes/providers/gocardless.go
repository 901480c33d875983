package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// gocardless signs the body alone. A body is a list of up to 250 events, so
// nothing in it stands for the delivery.
func init() {
	engine.Define("gocardless", engine.Definition{
		Source:    "developer.gocardless.com: Webhooks, Signing webhooks",
		Signature: engine.SignatureForm{Header: "Webhook-Signature"},
	})
}
