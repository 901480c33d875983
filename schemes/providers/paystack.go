package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// paystack signs only the body, with the secret key of the account.
func init() {
	engine.Define("paystack", engine.Definition{
		Source: "paystack.com/docs/payments/webhooks: Verify event origin",
		Sending: engine.Sending{
			Deadline: 30 * time.Second,
			Retries:  "4 at intervals of 3 minutes, then hourly for 72 hours",
		},
		Algorithm: engine.HMACSHA512.String(),
		Signature: engine.SignatureForm{Header: "x-paystack-signature"},
		Event:     engine.EventPlace{Body: "event"},
	})
}
