package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// craneops signs the body alone, so a capture stays valid for ever and only
// the history of replays stops it. The event type's header is not signed.
func init() {
	engine.Define("craneops", engine.Definition{
		Source:    "CraneOps dashboard, API & Webhooks: Webhook Security",
		Witness:   engine.Witness{Note: "The samples on the provider's page agree."},
		Signature: engine.SignatureForm{Header: "X-CraneOps-Signature"},
		Event:     engine.EventPlace{Header: "X-CraneOps-Event", Body: "event"},
	})
}
