package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// bitbucket is Bitbucket Cloud. It signs only the body. The type of the event
// and the id of the request are in headers that are not signed.
func init() {
	engine.Define("bitbucket", engine.Definition{
		Source:  "support.atlassian.com/bitbucket-cloud: Manage webhooks, Secure webhooks",
		Witness: engine.Witness{Published: "support.atlassian.com/bitbucket-cloud, Manage webhooks"},

		Signature:    engine.SignatureForm{Header: "X-Hub-Signature", Prefix: "sha256="},
		Event:        engine.EventPlace{Header: "X-Event-Key"},
		OccurrenceID: "X-Request-UUID",
		Tenant:       "repository.full_name",
	})
}
