package schemes

import "net/http"

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

// discordHandshake are the PINGs of interactions (type 1) and of webhook events
// (type 0; docs.discord.com). There type 1 is an event, which a PING has not.
var discordHandshake = &Handshake{Signed: func(_ Key, body []byte) (*Reply, error) {
	found, ok := Members(body, discordMembers)
	if !ok || found[1].Raw != "" {
		return nil, nil
	}
	switch found[0].Raw {
	case "0":
		return &Reply{Status: http.StatusNoContent, ContentType: ContentTypeJSON}, nil
	case "1":
		return &Reply{ContentType: ContentTypeJSON, Body: []byte(`{"type":1}`)}, nil
	}
	return nil, nil
}}

var discordMembers = Paths("type", "event")
