package schemes

// paddle signs the send time and the body, with each secret that is valid while
// one is being rotated. The event id is the same on retries, on replays and for
// every destination; the notification id is not.
func init() {
	Define("paddle", Definition{
		Source:     "developer.paddle.com: Verify webhook signatures; How webhooks work",
		Witness:    Witness{Verifies: "@paddle/paddle-node-sdk 3.10.0, paddle-go-sdk v4.1.0"},
		Signature:  SignatureForm{Header: "Paddle-Signature", Separator: ";", Names: []string{"h1"}},
		Timestamp:  TimePlace{Place: Place{Field: "ts"}},
		Signed:     "{timestamp}:{body}",
		ID:         Place{Body: "event_id"},
		Event:      EventPlace{Body: "event_type"},
		OccurredAt: BodyTime{Body: "occurred_at", Unit: "rfc3339"},
	})
}
