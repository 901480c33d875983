package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// square signs the subscribed URL directly followed by the body, which is
// always a JSON object. Its documentation names the event id as the value for
// detecting duplicates.
func init() {
	engine.Define("square", engine.Definition{
		Source: "developer.squareup.com: Verify and validate an event notification; Webhook requirements",
		Witness: engine.Witness{
			Published: "developer.squareup.com, Verify and validate an event notification",
			Verifies:  "square 46.0.0 (Node)",
		},
		Sending: engine.Sending{
			Retries: "for 24 hours, 1 minute to 8 hours apart",
		},
		Signature:  engine.SignatureForm{Header: "x-square-hmacsha256-signature", Encoding: "base64"},
		Signed:     "{url}{body}",
		JSONObject: true,
		ID:         engine.Place{Body: "event_id"},
		Event:      engine.EventPlace{Body: "type"},
		OccurredAt: engine.BodyTime{Body: "created_at", Unit: "rfc3339"},
		Tenant:     "merchant_id",
	})
}
