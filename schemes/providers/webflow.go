package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// webflow signs the send time, in milliseconds, and the body, with the client
// secret of the app or the secret of a webhook that was created through the
// API. Webhooks created in its dashboard are not signed.
func init() {
	engine.Define("webflow", engine.Definition{
		Source: "developers.webflow.com: Working with webhooks, Validating request signatures",
		Sending: engine.Sending{
			Deadline: 30 * time.Second,
			Retries:  "3, 10 minutes apart",
		},
		Signature: engine.SignatureForm{Header: "x-webflow-signature"},
		Timestamp: engine.TimePlace{Place: engine.Place{Header: "x-webflow-timestamp"}, Unit: "ms"},
		Signed:    "{timestamp}:{body}",
		Event:     engine.EventPlace{Body: "triggerType"},
	})
}
