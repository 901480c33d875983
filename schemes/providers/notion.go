package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// notion signs only the body, with the verification token that it sends in its
// first request. The body of a retry contains the number of attempts and the
// same id.
func init() {
	engine.Define("notion", engine.Definition{
		Source:     "developers.notion.com/reference/webhooks: Validating event payloads",
		Signature:  engine.SignatureForm{Header: "X-Notion-Signature", Prefix: "sha256="},
		ID:         engine.Place{Body: "id"},
		Event:      engine.EventPlace{Body: "type"},
		OccurredAt: engine.BodyTime{Body: "timestamp", Unit: "rfc3339"},
		Tenant:     "workspace_id",
	})
}
