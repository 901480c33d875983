package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// workos signs the send time, in milliseconds, and the body. Its header has a
// space after the comma; an entry without one is accepted too.
func init() {
	engine.Define("workos", engine.Definition{
		Source:     "workos.com/docs/events/data-syncing/webhooks: Validate the requests",
		Signature:  engine.SignatureForm{Header: "WorkOS-Signature", Separator: ",", Names: []string{" v1", "v1"}},
		Timestamp:  engine.TimePlace{Place: engine.Place{Field: "t"}, Unit: "ms"},
		Signed:     "{timestamp}.{body}",
		ID:         engine.Place{Body: "id"},
		Event:      engine.EventPlace{Body: "event"},
		OccurredAt: engine.BodyTime{Body: "created_at", Unit: "rfc3339"},
	})
}
