package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// clerk sends through Svix, and signs as Standard Webhooks does, under Svix'
// names of the headers alone.
func init() {
	engine.Define("clerk", bySvix(engine.Definition{
		Source:     "clerk.com/docs: Webhooks, Sync Clerk data; docs.svix.com",
		Event:      engine.EventPlace{Body: "type"},
		OccurredAt: engine.BodyTime{Body: "timestamp", Unit: "ms"},
		Tenant:     "instance_id",
	}))
}
