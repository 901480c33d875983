package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// github signs only the body. The event type and the id of the delivery are in
// headers that are not signed. If one event triggers several webhooks, such as
// an organization's and a repository's, they send one body under several ids.
// An app's webhook can send several bodies under one id. GitHub never sends a
// delivery again by itself, so a conflict is acknowledged.
func init() {
	engine.Define("github", engine.Definition{
		Source: "docs.github.com, Webhooks: Validating webhook deliveries",
		Witness: engine.Witness{
			Published: "docs.github.com, Validating webhook deliveries",
			Signs:     "@octokit/webhooks-methods 6.0.0",
			Verifies:  "@octokit/webhooks-methods 6.0.0",
		},
		Sending: engine.Sending{
			Deadline:    10 * time.Second,
			Retries:     "none; redelivery by hand or through the API, within 3 days",
			LargestBody: 25 << 20,
			First:       "POST with the event `ping`, signed if the webhook has a secret: a delivery like any other, which your application gets",
		},
		Signature:      engine.SignatureForm{Header: "X-Hub-Signature-256", Prefix: "sha256="},
		Event:          engine.EventPlace{Header: "X-GitHub-Event"},
		OccurrenceID:   "X-GitHub-Delivery",
		OnConflict:     engine.ConflictAck,
		ConflictReason: "An organization's and a repository's webhook on one URL send one body under two `X-GitHub-Delivery`, and GitHub does not send a failed delivery again.",
	})
}
