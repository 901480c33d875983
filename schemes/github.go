package schemes

// github signs the body alone. The event type and the id of the delivery are
// in headers that are not signed.
func init() {
	Define("github", Definition{
		Source:       "docs.github.com, Webhooks: Validating webhook deliveries",
		Signature:    SignatureForm{Header: "X-Hub-Signature-256", Prefix: "sha256="},
		Event:        EventPlace{Header: "X-GitHub-Event"},
		OccurrenceID: "X-GitHub-Delivery",
	})
}
