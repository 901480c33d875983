package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// calendly signs the send time and the body. No value in the delivery
// identifies the event.
func init() {
	engine.Define("calendly", engine.Definition{
		Source: "developer.calendly.com: Webhook signatures; Webhook errors; Webhook timeouts",
		Sending: engine.Sending{
			Deadline: 15 * time.Second,
			Retries:  "for 24 hours, after redirections too; then the webhook is disabled",
		},
		Signature:  engine.SignatureForm{Header: "Calendly-Webhook-Signature", Separator: ",", Names: []string{"v1"}},
		Timestamp:  engine.TimePlace{Place: engine.Place{Field: "t"}},
		Signed:     "{timestamp}.{body}",
		Event:      engine.EventPlace{Body: "event"},
		OccurredAt: engine.BodyTime{Body: "created_at", Unit: "rfc3339"},
		Tenant:     "created_by",
	})
}
