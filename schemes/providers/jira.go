package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// jira is for webhooks of Jira Cloud that an administrator creates with a
// secret. They sign only the body. The identifier of the delivery, which
// retries repeat, is in a header that is not signed. The webhooks of OAuth 2.0
// and Connect apps use a JWT instead, which this scheme does not verify.
func init() {
	engine.Define("jira", engine.Definition{
		Source:  "developer.atlassian.com/cloud/jira/platform/webhooks: Securing admin webhooks",
		Witness: engine.Witness{Published: "developer.atlassian.com/cloud/jira/platform/webhooks"},
		Sending: engine.Sending{
			Retries:     "up to 5, 5 to 15 minutes apart, only after 408, 409, 425, 429, 5xx and no answer",
			LargestBody: 25 << 20,
		},
		Signature:    engine.SignatureForm{Header: "X-Hub-Signature", Prefix: "sha256="},
		OccurrenceID: "X-Atlassian-Webhook-Identifier",
		Event:        engine.EventPlace{Body: "webhookEvent"},
		OccurredAt:   engine.BodyTime{Body: "timestamp", Unit: "ms"},
	})
}
