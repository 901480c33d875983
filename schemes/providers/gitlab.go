package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// gitlab signs as Standard Webhooks does, if the webhook has a signing token.
// The older secret token, which it sends unchanged in X-Gitlab-Token, is not a
// signature. The id is GitLab's Idempotency-Key, which retries repeat.
func init() {
	engine.Define("gitlab", engine.Definition{ //nolint:gosec // TokenHeader is a name
		Source: "gitlab.com/gitlab-org/gitlab, merge requests 230944 and 231325: webhook signing token",
		Witness: engine.Witness{
			Published: "Standard Webhooks, specification 1.0.0, which GitLab names",
			Signs:     "standardwebhooks 1.1.1 (Node), standard-webhooks/libraries v0.0.1, svix 1.99.1 (Node)",
			Verifies:  "standardwebhooks 1.1.1 (Node), standard-webhooks/libraries v0.0.1, svix 1.99.1 (Node)",
			Note:      "The libraries are those of Standard Webhooks.",
		},
		Sending: engine.Sending{
			Deadline:    10 * time.Second,
			Retries:     "none; 4 failures in a row pause the webhook, 40 disable it",
			LargestBody: 25 << 20,
		},
		Signature: engine.SignatureForm{
			Header: "webhook-signature", Encoding: "base64", Separator: " ", Assign: ",", Names: []string{"v1"},
		},
		TokenHeader: "X-Gitlab-Token",

		Key:       "whsec_",
		Signed:    "{id}.{timestamp}.{body}",
		ID:        engine.Place{Header: "webhook-id"},
		Timestamp: engine.TimePlace{Place: engine.Place{Header: "webhook-timestamp"}},
		Event:     engine.EventPlace{Header: "X-Gitlab-Event", Body: "object_kind"},
	})
}
