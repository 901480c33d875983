package providers

import (
	"net/http"
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// discord signs the send time directly followed by the body, with its own
// private key; the secret here is the application's public key. Discord
// sometimes sends wrong signatures and expects a 401. Only webhook events name
// their event. They have no id, and their time has no zone.
func init() {
	engine.Define("discord", engine.Definition{
		Source:  "docs.discord.com: Interactions Overview, Validating Security Request Headers; Webhook Events",
		Witness: engine.Witness{Verifies: "discord-interactions 4.4.0"},
		Sending: engine.Sending{
			Deadline:    3 * time.Second,
			Retries:     "events: for 10 minutes; too many failures stop them",
			ReadsAnswer: "interactions",
		},
		Algorithm: engine.Ed25519.String(),
		Signature: engine.SignatureForm{Header: "X-Signature-Ed25519"},
		Timestamp: engine.TimePlace{Place: engine.Place{Header: "X-Signature-Timestamp"}},
		Signed:    "{timestamp}{body}",
		Event:     engine.EventPlace{Body: "event.type"},
		Handshake: discordHandshake,
	})
}

// discordHandshake are the PINGs of interactions (type 1) and of webhook events
// (type 0; docs.discord.com). A webhook event has type 1 too, but it also has
// an event member, which a PING lacks.
var discordHandshake = &engine.Handshake{Asks: "POST with a PING, signed, and one with a wrong signature, which must be refused", Signed: func(_ engine.Key, body []byte) (*engine.Reply, error) {
	found, ok := engine.Members(body, discordMembers)
	if !ok || found[1].Raw != "" {
		return nil, nil
	}
	switch found[0].Raw {
	case "0":
		return &engine.Reply{Status: http.StatusNoContent, ContentType: engine.ContentTypeJSON}, nil
	case "1":
		return &engine.Reply{ContentType: engine.ContentTypeJSON, Body: []byte(`{"type":1}`)}, nil
	}
	return nil, nil
}}

var discordMembers = engine.Paths("type", "event")
