package schemes

// discord signs the send time and directly behind it the body, with a private
// key of its own; the secret here is the application's public key. It sends
// wrong signatures now and then, and expects a 401. Only webhook events name
// their event, and they have neither an id nor a time with its zone.
func init() {
	Define("discord", Definition{
		Source:    "docs.discord.com: Interactions Overview, Validating Security Request Headers; Webhook Events",
		Witness:   Witness{Verifies: "discord-interactions 4.4.0"},
		Algorithm: Ed25519.String(),
		Signature: SignatureForm{Header: "X-Signature-Ed25519"},
		Timestamp: TimePlace{Place: Place{Header: "X-Signature-Timestamp"}},
		Signed:    "{timestamp}{body}",
		Event:     EventPlace{Body: "event.type"},
		Handshake: discordHandshake,
	})
}
