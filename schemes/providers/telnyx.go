package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// telnyx signs the send time and the body, with its own private key; the secret
// here is the public key that it shows. The body of a retry contains the number
// of attempts and the same id.
func init() {
	engine.Define("telnyx", engine.Definition{
		Source: "developers.telnyx.com: Receiving webhooks, Webhook signing",
		Sending: engine.Sending{
			Deadline: 2 * time.Second,
			Retries:  "yes, further and further apart, then to the failover URL",
		},
		Algorithm:  engine.Ed25519.String(),
		Key:        "base64",
		Signature:  engine.SignatureForm{Header: "telnyx-signature-ed25519", Encoding: "base64"},
		Timestamp:  engine.TimePlace{Place: engine.Place{Header: "telnyx-timestamp"}},
		Signed:     "{timestamp}|{body}",
		ID:         engine.Place{Body: "data.id"},
		Event:      engine.EventPlace{Body: "data.event_type"},
		OccurredAt: engine.BodyTime{Body: "data.occurred_at", Unit: "rfc3339"},
	})
}
