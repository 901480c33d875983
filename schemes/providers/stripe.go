package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// stripe signs with each valid secret while one is being rotated. v0 is only
// for tests and is ignored. The key is the whole secret, including whsec_.
func init() {
	engine.Define("stripe", engine.Definition{
		Source: "docs.stripe.com/webhooks, Verify webhook signatures manually; stripe-go",
		Witness: engine.Witness{
			Signs:    "stripe 23.1.0 (Node), stripe-go v83.2.1",
			Verifies: "stripe 23.1.0 (Node), stripe-go v83.2.1",
		},
		Sending: engine.Sending{
			Retries: "for 3 days, each signed anew; in a sandbox 3 within hours",
		},
		Signature:  engine.SignatureForm{Header: "Stripe-Signature", Separator: ",", Names: []string{"v1"}},
		Timestamp:  engine.TimePlace{Place: engine.Place{Field: "t"}},
		Signed:     "{timestamp}.{body}",
		ID:         engine.Place{Body: "id"},
		Event:      engine.EventPlace{Body: "type"},
		OccurredAt: engine.BodyTime{Body: "created"},
	})
}
