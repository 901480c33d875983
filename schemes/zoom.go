package schemes

// zoom signs a version, the send time and the body, with the app's secret token.
// Nothing that is sent identifies the event.
func init() {
	Define("zoom", Definition{
		Source:     "developers.zoom.us/docs/api/webhooks: Verify webhook events",
		Witness:    Witness{Verifies: "@zoom/rivet 0.4.0", Note: "The library parses the body and writes it again."},
		Signature:  SignatureForm{Header: "x-zm-signature", Prefix: "v0="},
		Timestamp:  TimePlace{Place: Place{Header: "x-zm-request-timestamp"}},
		Signed:     "v0:{timestamp}:{body}",
		Event:      EventPlace{Body: "event"},
		OccurredAt: BodyTime{Body: "event_ts", Unit: unitMillis},
		Tenant:     "payload.account_id",
		Handshake:  zoomHandshake,
	})
}
