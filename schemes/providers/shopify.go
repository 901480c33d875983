package providers

import (
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// shopify signs only the body. The topic and the id of the delivery are in
// headers that are not signed. One body may be sent under several topics, such
// as an order that is created and paid at once, so a conflict is forwarded. The
// event id is not used: all webhooks that one action triggers share it.
//
// Events, Shopify's newer kind of subscription, uses the same headers without
// the X.
func init() {
	engine.Define("shopify", engine.Definition{
		Source:  "shopify.dev: Verify webhook deliveries; Verify Events deliveries",
		Witness: engine.Witness{Verifies: "@shopify/shopify-api 13.1.0"},
		Sending: engine.Sending{
			Deadline: 5 * time.Second,
			Retries:  "8 within 4 hours; then a subscription made through the API is deleted",
		},
		Signature: engine.SignatureForm{
			Header: "X-Shopify-Hmac-SHA256", Encoding: "base64",
		},
		Event:        engine.EventPlace{Header: "X-Shopify-Topic"},
		OccurrenceID: "X-Shopify-Webhook-Id",
		Aliases: []map[string]string{{
			"X-Shopify-Hmac-SHA256": "Shopify-Hmac-SHA256",
			"X-Shopify-Topic":       "Shopify-Topic",
			"X-Shopify-Webhook-Id":  "Shopify-Webhook-Id",
		}},
		OnConflict:     engine.ConflictForward,
		ConflictReason: "One body is sent under several topics, each with an `X-Shopify-Webhook-Id` of its own.",
	})
}
