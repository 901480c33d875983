package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// sendgrid signs the send time directly followed by the body, with its own
// private key; the secret here is the verification key that it shows. A body is
// a list of events, so nothing in it identifies the delivery.
func init() {
	engine.Define("sendgrid", engine.Definition{
		Source: "twilio.com/docs/sendgrid: Event Webhook Security Features; sendgrid-go, helpers/eventwebhook",
		Witness: engine.Witness{
			Published: "sendgrid-go, helpers/eventwebhook",
			Verifies:  "@sendgrid/eventwebhook 8.0.0, sendgrid-go v3.16.1",
		},
		Algorithm: engine.ECDSAP256.String(),
		Key:       "spki",
		Signature: engine.SignatureForm{Header: "X-Twilio-Email-Event-Webhook-Signature", Encoding: "base64"},
		Timestamp: engine.TimePlace{Place: engine.Place{Header: "X-Twilio-Email-Event-Webhook-Timestamp"}},
		Signed:    "{timestamp}{body}",
	})
}
