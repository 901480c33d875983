package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// xero signs only the body. Its key looks like base64 but is used as text. When
// the webhook is set up, Xero tests it with correct and wrong signatures, and
// expects 200 and 401.
func init() {
	engine.Define("xero", engine.Definition{
		Source:    "developer.xero.com: Webhooks, Configuring your server",
		Witness:   engine.Witness{Published: "XeroAPI/XeroWebhooksReceiver, issue 1"},
		Signature: engine.SignatureForm{Header: "x-xero-signature", Encoding: "base64"},
		Sending:   engine.Sending{Deadline: 5 * time.Second},
	})
}
