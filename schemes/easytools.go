package schemes

// easytools signs the body alone. The body has the event's time, which can
// serve as a signed time if the user allows for the age of a retry.
func init() {
	Define("easytools", Definition{
		Source:     "Easytools help, Generate webhook signing key; easy.tools/docs/list-of-webhook-events",
		Witness:    Witness{Note: "The samples on the provider's page agree."},
		Signature:  SignatureForm{Header: "X-Webhook-Signature"},
		Timestamp:  TimePlace{Place: Place{Body: "timestamp"}},
		Event:      EventPlace{Body: "event"},
		OccurredAt: BodyTime{Body: "timestamp"},
	})
}
