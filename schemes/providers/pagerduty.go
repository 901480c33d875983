package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// pagerduty is for PagerDuty's webhooks of version 3. They sign only the body.
// While a secret is being rotated, they sign with each valid one.
func init() {
	engine.Define("pagerduty", engine.Definition{
		Source:     "developer.pagerduty.com: Verifying webhook signatures",
		Signature:  engine.SignatureForm{Header: "X-PagerDuty-Signature", Separator: ",", Names: []string{"v1"}},
		ID:         engine.Place{Body: "event.id"},
		Event:      engine.EventPlace{Body: "event.event_type"},
		OccurredAt: engine.BodyTime{Body: "event.occurred_at", Unit: "rfc3339"},
	})
}
