package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// clerk sends through Svix, and signs as Standard Webhooks does, under Svix'
// names of the headers alone.
func init() {
	engine.Define("clerk", engine.Definition{
		Source: "clerk.com/docs: Webhooks, Sync Clerk data; docs.svix.com",
		Sending: engine.Sending{
			Deadline: 15 * time.Second,
			Retries:  "8 attempts within 28 hours; 5 days of failures disable the endpoint",
		},
		Signature: engine.SignatureForm{
			Header: "svix-signature", Encoding: "base64", Separator: " ", Assign: ",", Names: []string{"v1"},
		},
		Key:        "whsec_",
		Signed:     "{id}.{timestamp}.{body}",
		ID:         engine.Place{Header: "svix-id"},
		Timestamp:  engine.TimePlace{Place: engine.Place{Header: "svix-timestamp"}},
		Event:      engine.EventPlace{Body: "type"},
		OccurredAt: engine.BodyTime{Body: "timestamp", Unit: "ms"},
		Tenant:     "instance_id",
	})
}
