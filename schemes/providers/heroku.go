package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// heroku signs only the body, in base64.
func init() {
	engine.Define("heroku", engine.Definition{
		Source: "devcenter.heroku.com/articles/app-webhooks: Securing webhook requests",
		Sending: engine.Sending{
			Retries: "none at the level notify; at the level sync until a limit",
		},
		Signature: engine.SignatureForm{Header: "Heroku-Webhook-Hmac-SHA256", Encoding: "base64"},
		Event:     engine.EventPlace{Body: "action"},
	})
}
