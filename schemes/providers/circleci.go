package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// circleci signs only the body. The header is a list of versions. Only v1 is
// known.
func init() {
	engine.Define("circleci", engine.Definition{
		Source:  "circleci.com/docs: Outbound webhooks, Validate webhooks",
		Witness: engine.Witness{Published: "circleci.com/docs, Outbound webhooks"},
		Sending: engine.Sending{
			Deadline: 10 * time.Second,
			Retries:  "yes, at times that are not documented",
		},
		Signature:  engine.SignatureForm{Header: "circleci-signature", Separator: ",", Names: []string{"v1"}},
		ID:         engine.Place{Body: "id"},
		Event:      engine.EventPlace{Body: "type"},
		OccurredAt: engine.BodyTime{Body: "happened_at", Unit: "rfc3339"},
		Tenant:     "organization.id",
	})
}
