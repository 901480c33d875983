package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// elevenlabs signs the send time and the body. Its own library takes a delivery
// that is up to 30 minutes old, and most events are sent only once.
func init() {
	engine.Define("elevenlabs", engine.Definition{
		Source: "elevenlabs.io/docs: Webhooks, HMAC authentication",
		Sending: engine.Sending{
			Retries: "none; speech to text: after 5xx; 10 failures in a row may disable it",
		},
		Signature:  engine.SignatureForm{Header: "ElevenLabs-Signature", Separator: ",", Names: []string{"v0"}},
		Timestamp:  engine.TimePlace{Place: engine.Place{Field: "t"}},
		Signed:     "{timestamp}.{body}",
		Event:      engine.EventPlace{Body: "type"},
		OccurredAt: engine.BodyTime{Body: "event_timestamp"},
		Defaults: engine.Defaults{
			Tolerance: 30 * time.Minute,
			Reason:    "It is the tolerance of ElevenLabs' own library.",
		},
	})
}
