package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// revolut signs a version, the send time in milliseconds and the body, with each
// secret that is valid while one is being rotated. Bodies have neither an id nor
// a time, so two events can have equal ones, and only the send time tells them
// apart.
func init() {
	engine.Define("revolut", engine.Definition{
		Source: "developer.revolut.com: Business and Merchant API, Webhooks, Verify the payload signature",
		Sending: engine.Sending{
			Retries: "3, 10 minutes apart",
		},
		Signature: engine.SignatureForm{Header: "Revolut-Signature", Separator: ",", Names: []string{"v1"}},
		Timestamp: engine.TimePlace{Place: engine.Place{Header: "Revolut-Request-Timestamp"}, Unit: "ms"},
		Signed:    "v1.{timestamp}.{body}",
		Event:     engine.EventPlace{Body: "event"},
		Defaults: engine.Defaults{
			Replay: engine.ReplayDelivery,
			Reason: "Different events can have equal bodies.",
		},
	})
}
