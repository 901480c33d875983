package schemes

// linear signs the body alone, which has the send time in it. The body's
// webhookId is the subscription's; the id of the delivery is in a header that is
// not signed, as is a second copy of the time, which is therefore not read.
func init() {
	Define("linear", Definition{
		Source:       "linear.app/developers/webhooks: Securing webhooks",
		Witness:      Witness{Verifies: "@linear/sdk 98.0.0"},
		Signature:    SignatureForm{Header: "Linear-Signature"},
		Timestamp:    TimePlace{Place: Place{Body: "webhookTimestamp"}, Unit: "ms"},
		Event:        EventPlace{Header: "Linear-Event", Body: "type"},
		OccurrenceID: "Linear-Delivery",
		OccurredAt:   BodyTime{Body: "createdAt", Unit: "rfc3339"},
		Tenant:       "organizationId",
	})
}
