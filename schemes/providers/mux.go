package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// mux signs the send time and the body. The body of a retry contains one more
// attempt and the same id.
func init() {
	engine.Define("mux", engine.Definition{
		Source:      "docs.mux.com: Verify webhook signatures",
		Witness:     engine.Witness{Published: "@mux/mux-node, tests of its webhooks"},
		Signature:   engine.SignatureForm{Header: "Mux-Signature", Separator: ",", Names: []string{"v1"}},
		Timestamp:   engine.TimePlace{Place: engine.Place{Field: "t"}},
		Signed:      "{timestamp}.{body}",
		ID:          engine.Place{Body: "id"},
		Event:       engine.EventPlace{Body: "type"},
		OccurredAt:  engine.BodyTime{Body: "created_at", Unit: "rfc3339"},
		Environment: "environment.name",
	})
}
