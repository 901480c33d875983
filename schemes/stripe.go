package schemes

// stripe signs with each secret that is valid while one is being rotated; v0
// is for tests only and is passed over. The key is the whole secret, whsec_
// and all.
func init() {
	Define("stripe", Definition{
		Source: "docs.stripe.com/webhooks, Verify webhook signatures manually; stripe-go",
		Witness: Witness{
			Signs:    "stripe 23.1.0 (Node), stripe-go v83.2.1",
			Verifies: "stripe 23.1.0 (Node), stripe-go v83.2.1",
		},
		Signature:  SignatureForm{Header: "Stripe-Signature", Separator: ",", Names: []string{"v1"}},
		Timestamp:  TimePlace{Place: Place{Field: "t"}},
		Signed:     "{timestamp}.{body}",
		ID:         Place{Body: "id"},
		Event:      EventPlace{Body: "type"},
		OccurredAt: BodyTime{Body: "created"},
	})
}
