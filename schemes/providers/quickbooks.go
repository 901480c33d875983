package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// quickbooks is Intuit's QuickBooks Online. It signs only the body, with the
// verifier token. A body is a list of changes, so nothing in it identifies the
// delivery.
func init() {
	engine.Define("quickbooks", engine.Definition{
		Source: "developer.intuit.com: QuickBooks Online, Webhooks, Best practices",
		Sending: engine.Sending{
			Deadline: 3 * time.Second,
			Retries:  "after 10 seconds to 6 hours, then every 6 hours; later events wait",
		},
		Signature: engine.SignatureForm{Header: "intuit-signature", Encoding: "base64"},
	})
}
