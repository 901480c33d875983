package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// vercel signs only the body, with HMAC-SHA1. Its drains sign in the same way,
// but their bodies have neither an id nor a type.
func init() {
	engine.Define("vercel", engine.Definition{
		Source: "vercel.com/docs/webhooks: Securing webhooks",
		Sending: engine.Sending{
			Deadline: 30 * time.Second,
			Retries:  "for 24 hours, further and further apart",
		},
		Algorithm:  engine.HMACSHA1.String(),
		Signature:  engine.SignatureForm{Header: "x-vercel-signature"},
		ID:         engine.Place{Body: "id"},
		Event:      engine.EventPlace{Body: "type"},
		OccurredAt: engine.BodyTime{Body: "createdAt", Unit: "ms"},
		Tenant:     "payload.team.id",
	})
}
