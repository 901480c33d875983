package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// xero signs the body alone. Its key looks like base64 and is used as it is.
// Xero makes sure that wrong signatures are refused: it sends some when the
// webhook is set up, and expects 401 for them and 200 for the others.
func init() {
	engine.Define("xero", engine.Definition{
		Source:    "developer.xero.com: Webhooks, Configuring your server",
		Witness:   engine.Witness{Published: "XeroAPI/XeroWebhooksReceiver, issue 1"},
		Signature: engine.SignatureForm{Header: "x-xero-signature", Encoding: "base64"},
		Sending:   engine.Sending{Deadline: 5 * time.Second},
	})
}
