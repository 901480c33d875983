package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// linear signs only the body, which contains the send time. The body's
// webhookId is the subscription's. The id of the delivery is in a header that
// is not signed, and so is a second copy of the time, which is therefore not
// read.
func init() {
	engine.Define("linear", engine.Definition{
		Source:       "linear.app/developers/webhooks: Securing webhooks",
		Witness:      engine.Witness{Verifies: "@linear/sdk 98.0.0"},
		Signature:    engine.SignatureForm{Header: "Linear-Signature"},
		Timestamp:    engine.TimePlace{Place: engine.Place{Body: "webhookTimestamp"}, Unit: "ms"},
		Event:        engine.EventPlace{Header: "Linear-Event", Body: "type"},
		OccurrenceID: "Linear-Delivery",
		OccurredAt:   engine.BodyTime{Body: "createdAt", Unit: "rfc3339"},
		Tenant:       "organizationId",
	})
}
