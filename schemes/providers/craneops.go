package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// craneops signs only the body, so a captured delivery stays valid forever and
// only the replay history stops it. The header of the event type is not signed.
func init() {
	engine.Define("craneops", engine.Definition{
		Source:    "CraneOps dashboard, API & Webhooks: Webhook Security",
		Witness:   engine.Witness{Note: "The samples on the provider's page agree."},
		Signature: engine.SignatureForm{Header: "X-CraneOps-Signature"},
		Event:     engine.EventPlace{Header: "X-CraneOps-Event", Body: "event"},
	})
}
