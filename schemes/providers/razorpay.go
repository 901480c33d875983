package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// razorpay signs only the body. Its documentation says that the id in an
// unsigned header is unique for each event. After a change of the secret,
// retries of older events are still signed with the old one.
func init() {
	engine.Define("razorpay", engine.Definition{
		Source: "razorpay.com/docs/webhooks: Validate and test webhooks",
		Sending: engine.Sending{
			Deadline: 5 * time.Second,
			Retries:  "for 24 hours, further and further apart; then the webhook is disabled",
		},
		Signature:          engine.SignatureForm{Header: "X-Razorpay-Signature"},
		OccurrenceID:       "x-razorpay-event-id",
		OccurrenceIDUnique: true,
		Event:              engine.EventPlace{Body: "event"},
		OccurredAt:         engine.BodyTime{Body: "created_at"},
		Tenant:             "account_id",
	})
}
