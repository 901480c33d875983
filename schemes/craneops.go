package schemes

// craneops signs the body alone, so a capture stays valid for ever and only
// the history of replays stops it. The event type's header is not signed.
func init() {
	Define("craneops", Definition{
		Source:    "CraneOps dashboard, API & Webhooks: Webhook Security",
		Witness:   Witness{Note: "The samples on the provider's page agree."},
		Signature: SignatureForm{Header: "X-CraneOps-Signature"},
		Event:     EventPlace{Header: "X-CraneOps-Event", Body: "event"},
	})
}
