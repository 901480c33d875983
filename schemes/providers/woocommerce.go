package providers

import "github.com/hooklatch/hooklatch/schemes/internal/engine"

// woocommerce signs only the body. The topic and the id of the delivery are in
// headers that are not signed. One body is sent under several topics, so a
// conflict is forwarded.
func init() {
	engine.Define("woocommerce", engine.Definition{
		Source: "woocommerce/woocommerce, includes/class-wc-webhook.php; developer.woocommerce.com: Webhooks",
		Sending: engine.Sending{
			Retries: "none; 5 failures in a row disable the webhook",
		},
		Signature:      engine.SignatureForm{Header: "X-WC-Webhook-Signature", Encoding: "base64"},
		Event:          engine.EventPlace{Header: "X-WC-Webhook-Topic"},
		OccurrenceID:   "X-WC-Webhook-Delivery-ID",
		OnConflict:     engine.ConflictForward,
		ConflictReason: "One body is sent under several topics, each with an `X-WC-Webhook-Delivery-ID` of its own.",
	})
}
