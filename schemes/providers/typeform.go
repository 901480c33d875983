package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// typeform signs only the body, in base64.
func init() {
	engine.Define("typeform", engine.Definition{
		Source: "typeform.com/developers/webhooks: Secure your webhooks",
		Sending: engine.Sending{
			Retries: "408, 423, 429, 503: for 10 hours; others about 5 times; 404, 410 disable it at once",
		},
		Signature:  engine.SignatureForm{Header: "Typeform-Signature", Encoding: "base64", Prefix: "sha256="},
		ID:         engine.Place{Body: "event_id"},
		Event:      engine.EventPlace{Body: "event_type"},
		OccurredAt: engine.BodyTime{Body: "form_response.submitted_at", Unit: "rfc3339"},
	})
}
