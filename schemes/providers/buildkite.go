package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// buildkite signs the time of dispatch and the body, if the webhook is set up to
// send a signature. Otherwise it sends a plain token.
func init() {
	engine.Define("buildkite", engine.Definition{ //nolint:gosec // TokenHeader is a name
		Source:      "buildkite.com/docs/apis/webhooks: Webhook signature",
		Signature:   engine.SignatureForm{Header: "X-Buildkite-Signature", Separator: ",", Names: []string{"signature"}},
		TokenHeader: "X-Buildkite-Token",

		Timestamp: engine.TimePlace{Place: engine.Place{Field: "timestamp"}},
		Signed:    "{timestamp}.{body}",
		Event:     engine.EventPlace{Header: "X-Buildkite-Event", Body: "event"},
	})
}
