package schemes

// zoom signs a version, the send time and the body, with the app's secret token.
// Nothing that is sent identifies the event.
func init() {
	Define("zoom", Definition{
		Source:     "developers.zoom.us/docs/api/webhooks: Verify webhook events",
		Signature:  SignatureForm{Header: "X-Zm-Signature", Prefix: "v0="},
		Timestamp:  TimePlace{Place: Place{Header: "X-Zm-Request-Timestamp"}},
		Signed:     "v0:{timestamp}:{body}",
		Event:      EventPlace{Body: "event"},
		OccurredAt: BodyTime{Body: "event_ts", Unit: unitMillis},
		Tenant:     "payload.account_id",
		Handshake:  zoomHandshake,
	})
}
