package schemes

// slack signs a version, the send time and the body. The Events API's bodies
// have an id of the event, which its retries repeat; slash commands and
// interactions are forms without one.
func init() {
	Define("slack", Definition{
		Source:     "docs.slack.dev: Verifying requests from Slack; Event object",
		Witness:    Witness{Published: "docs.slack.dev, Verifying requests from Slack", Verifies: "@slack/bolt 5.1.0"},
		Signature:  SignatureForm{Header: "X-Slack-Signature", Prefix: "v0="},
		Timestamp:  TimePlace{Place: Place{Header: "X-Slack-Request-Timestamp"}},
		Signed:     "v0:{timestamp}:{body}",
		ID:         Place{Body: "event_id"},
		Event:      EventPlace{Body: "event.type"},
		OccurredAt: BodyTime{Body: "event_time"},
		Tenant:     "team_id",
		Handshake:  slackHandshake,
	})
}

// slackHandshake is the Events API's url_verification (docs.slack.dev).
var slackHandshake = &Handshake{Signed: func(_ Key, body []byte) (*Reply, error) {
	found, _ := Members(body, slackMembers)
	kind, challenge := found[0].Text(), found[1].Text()
	switch {
	case kind != "url_verification":
		return nil, nil
	case !IsChallenge(challenge):
		return nil, RefuseChallenge("challenge")
	}
	return &Reply{ContentType: ContentTypeText, Body: []byte(challenge)}, nil
}}

var slackMembers = Paths("type", "challenge")
