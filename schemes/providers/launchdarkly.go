package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// launchdarkly signs only the body, if the webhook has a secret.
func init() {
	engine.Define("launchdarkly", engine.Definition{
		Source:     "launchdarkly.com/docs/api/webhooks; Signing webhook payloads",
		Signature:  engine.SignatureForm{Header: "X-LD-Signature"},
		ID:         engine.Place{Body: "_id"},
		Event:      engine.EventPlace{Body: "kind"},
		OccurredAt: engine.BodyTime{Body: "date", Unit: "ms"},
	})
}
