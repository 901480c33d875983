package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// calcom is Cal.com. It signs only the body, which a user's template may
// change.
func init() {
	engine.Define("calcom", engine.Definition{
		Source:     "cal.com/docs: Webhooks, Verifying the authenticity of the received payload",
		Signature:  engine.SignatureForm{Header: "X-Cal-Signature-256"},
		Event:      engine.EventPlace{Body: "triggerEvent"},
		OccurredAt: engine.BodyTime{Body: "createdAt", Unit: "rfc3339"},
	})
}
