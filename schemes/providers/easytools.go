package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// easytools signs only the body. The body holds the event's time, which can
// serve as the signed time if the tolerance allows for the age of a retry.
func init() {
	engine.Define("easytools", engine.Definition{
		Source:     "Easytools help, Generate webhook signing key; easy.tools/docs/list-of-webhook-events",
		Witness:    engine.Witness{Note: "The samples on the provider's page agree."},
		Signature:  engine.SignatureForm{Header: "X-Webhook-Signature"},
		Timestamp:  engine.TimePlace{Place: engine.Place{Body: "timestamp"}},
		Event:      engine.EventPlace{Body: "event"},
		OccurredAt: engine.BodyTime{Body: "timestamp"},
	})
}
