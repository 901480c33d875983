package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// customerio signs a version, the send time and the body.
func init() {
	engine.Define("customerio", engine.Definition{
		Source: "docs.customer.io/integrations/api/webhooks: Reporting webhooks, Security",
		Sending: engine.Sending{
			Deadline: 4 * time.Second,
			Retries:  "for 7 days, further and further apart; later events wait",
		},
		Signature:  engine.SignatureForm{Header: "X-CIO-Signature"},
		Timestamp:  engine.TimePlace{Place: engine.Place{Header: "X-CIO-Timestamp"}},
		Signed:     "v0:{timestamp}:{body}",
		ID:         engine.Place{Body: "event_id"},
		Event:      engine.EventPlace{Body: "metric"},
		OccurredAt: engine.BodyTime{Body: "timestamp"},
	})
}
