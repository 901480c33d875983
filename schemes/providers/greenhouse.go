package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// greenhouse signs only the body. The id of the delivery is in a header that is
// not signed.
func init() {
	engine.Define("greenhouse", engine.Definition{
		Source: "grnhse/greenhouse-api-docs: webhooks, Authentication",
		Sending: engine.Sending{
			Retries: "6 within 15 hours",
		},
		Signature:    engine.SignatureForm{Header: "Signature", Prefix: "sha256 "},
		OccurrenceID: "Greenhouse-Event-ID",
		Event:        engine.EventPlace{Body: "action"},
	})
}
