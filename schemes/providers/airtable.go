package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// airtable signs only the body, with a key that it shows in base64. The body
// says only that a base has changed, and when.
func init() {
	engine.Define("airtable", engine.Definition{
		Source: "airtable.com/developers/web/api: Webhooks overview, Webhook notification delivery",
		Sending: engine.Sending{
			Deadline: 25 * time.Second,
			Retries:  "13 within about a day; then notifications are disabled",
		},
		Key:        "base64",
		Signature:  engine.SignatureForm{Header: "X-Airtable-Content-MAC", Prefix: "hmac-sha256="},
		OccurredAt: engine.BodyTime{Body: "timestamp", Unit: "rfc3339"},
		Tenant:     "base.id",
	})
}
