package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// replicate signs as Standard Webhooks does. A body is a prediction, and its
// status is all that can be called the event.
func init() {
	engine.Define("replicate", engine.Definition{
		Source: "replicate.com/docs/topics/webhooks: Verify webhooks",
		Signature: engine.SignatureForm{
			Header: "webhook-signature", Encoding: "base64", Separator: " ", Assign: ",", Names: []string{"v1"},
		},
		Key:        "whsec_",
		Signed:     "{id}.{timestamp}.{body}",
		ID:         engine.Place{Header: "webhook-id"},
		Timestamp:  engine.TimePlace{Place: engine.Place{Header: "webhook-timestamp"}},
		Event:      engine.EventPlace{Body: "status"},
		OccurredAt: engine.BodyTime{Body: "created_at", Unit: "rfc3339"},
	})
}
