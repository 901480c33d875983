package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// coinbase_commerce signs only the body. The body of a retry contains the
// number of attempts and the same event id.
func init() {
	engine.Define("coinbase_commerce", engine.Definition{
		Source: "docs.cdp.coinbase.com: Commerce, Webhooks overview, Securing webhooks",
		Sending: engine.Sending{
			Retries: "for 3 days, at most an hour apart",
		},
		Signature:  engine.SignatureForm{Header: "X-CC-Webhook-Signature"},
		ID:         engine.Place{Body: "event.id"},
		Event:      engine.EventPlace{Body: "event.type"},
		OccurredAt: engine.BodyTime{Body: "event.created_at", Unit: "rfc3339"},
	})
}
