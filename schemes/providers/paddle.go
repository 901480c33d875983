package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// paddle signs the send time and the body. While a secret is being rotated, it
// signs with each valid one. The event id is the same on retries, on replays
// and for every destination; the notification id is not.
func init() {
	engine.Define("paddle", engine.Definition{
		Source:  "developer.paddle.com: Verify webhook signatures; How webhooks work",
		Witness: engine.Witness{Verifies: "@paddle/paddle-node-sdk 3.10.0, paddle-go-sdk v4.1.0"},
		Sending: engine.Sending{
			Deadline: 5 * time.Second,
			Retries:  "60 within 3 days; in a sandbox 3 within 15 minutes",
		},
		Signature:  engine.SignatureForm{Header: "Paddle-Signature", Separator: ";", Names: []string{"h1"}},
		Timestamp:  engine.TimePlace{Place: engine.Place{Field: "ts"}},
		Signed:     "{timestamp}:{body}",
		ID:         engine.Place{Body: "event_id"},
		Event:      engine.EventPlace{Body: "event_type"},
		OccurredAt: engine.BodyTime{Body: "occurred_at", Unit: "rfc3339"},
	})
}
