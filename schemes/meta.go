package schemes

// meta is Facebook, Instagram, Messenger and WhatsApp: they sign the body alone,
// with the app secret. A body has changes to several objects of one kind, and
// that kind is all that can be called its event.
func init() {
	Define("meta", Definition{
		Source: "developers.facebook.com, Graph API: Webhooks, Getting Started",
		Witness: Witness{
			Published: "docs.github.com, Validating webhook deliveries",
			Signs:     "whatsapp 0.0.5-Alpha (Node)",
			Note:      "The published signature is GitHub's, which has the same form. The library does not export its function.",
		},
		Signature: SignatureForm{Header: "X-Hub-Signature-256", Prefix: "sha256="},
		Event:     EventPlace{Body: "object"},
		Handshake: metaHandshake,
	})
}
