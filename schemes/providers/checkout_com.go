package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// checkout_com signs only the body. The user's text that it may send in the
// header Authorization signs nothing.
func init() {
	engine.Define("checkout_com", engine.Definition{
		Source:     "checkout.com/docs: Workflows, Webhooks, Verify the signature",
		Signature:  engine.SignatureForm{Header: "Cko-Signature"},
		ID:         engine.Place{Body: "id"},
		Event:      engine.EventPlace{Body: "type"},
		OccurredAt: engine.BodyTime{Body: "created_on", Unit: "rfc3339"},
	})
}
