package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// tally signs only the body, in base64.
func init() {
	engine.Define("tally", engine.Definition{
		Source:     "tally.so/help/webhooks: Signing secret",
		Signature:  engine.SignatureForm{Header: "Tally-Signature", Encoding: "base64"},
		ID:         engine.Place{Body: "eventId"},
		Event:      engine.EventPlace{Body: "eventType"},
		OccurredAt: engine.BodyTime{Body: "createdAt", Unit: "rfc3339"},
	})
}
