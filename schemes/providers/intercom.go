package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// intercom signs only the body, with HMAC-SHA1 and the client secret of the
// app. The body of a retry contains the number of attempts and the same id.
func init() {
	engine.Define("intercom", engine.Definition{
		Source: "developers.intercom.com: Webhook notifications, Signed notifications",
		Sending: engine.Sending{
			Deadline: 5 * time.Second,
			Retries:  "1; 1000 errors within 15 minutes pause, 7 days of errors suspend it",
		},
		Algorithm:  engine.HMACSHA1.String(),
		Signature:  engine.SignatureForm{Header: "X-Hub-Signature", Prefix: "sha1="},
		ID:         engine.Place{Body: "id"},
		Event:      engine.EventPlace{Body: "topic"},
		OccurredAt: engine.BodyTime{Body: "created_at"},
		Tenant:     "app_id",
	})
}
