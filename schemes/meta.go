package schemes

// meta is Facebook, Instagram, Messenger and WhatsApp: they sign the body alone,
// with the app secret. A body has changes to several objects of one kind, and
// that kind is all that can be called its event.
func init() {
	Define("meta", Definition{
		Source:    "developers.facebook.com, Graph API: Webhooks, Getting Started",
		Signature: SignatureForm{Header: "X-Hub-Signature-256", Prefix: "sha256="},
		Event:     EventPlace{Body: "object"},
		Handshake: metaHandshake,
	})
}
