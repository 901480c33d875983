package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// resend sends through Svix, and signs as Standard Webhooks does, under Svix'
// names of the headers.
func init() {
	engine.Define("resend", bySvix(engine.Definition{
		Source:     "resend.com/docs: Webhooks, Verify webhook requests; docs.svix.com",
		Event:      engine.EventPlace{Body: "type"},
		OccurredAt: engine.BodyTime{Body: "created_at", Unit: "rfc3339"},
	}))
}
