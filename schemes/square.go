package schemes

// square signs the URL that was subscribed and directly behind it the body,
// which is always a JSON object. Its documentation calls the event id the value
// to recognise repetitions by.
func init() {
	Define("square", Definition{
		Source: "developer.squareup.com: Verify and validate an event notification; Webhook requirements",
		Witness: Witness{
			Published: "developer.squareup.com, Verify and validate an event notification",
			Verifies:  "square 46.0.0 (Node)",
		},
		Signature:  SignatureForm{Header: "x-square-hmacsha256-signature", Encoding: "base64"},
		Signed:     "{url}{body}",
		JSONObject: true,
		ID:         Place{Body: "event_id"},
		Event:      EventPlace{Body: "type"},
		OccurredAt: BodyTime{Body: "created_at", Unit: "rfc3339"},
		Tenant:     "merchant_id",
	})
}
