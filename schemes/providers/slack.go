package providers

import (
	"bytes"
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// slack signs a version, the send time and the body. The bodies of the Events
// API contain the id of the event, which retries repeat. Slash commands and
// interactions are forms without an id.
func init() {
	engine.Define("slack", engine.Definition{
		Source:  "docs.slack.dev: Verifying requests from Slack; Event object",
		Witness: engine.Witness{Published: "docs.slack.dev, Verifying requests from Slack", Verifies: "@slack/bolt 5.1.0"},
		Sending: engine.Sending{
			Deadline:    3 * time.Second,
			Retries:     "at once, after 1 and after 5 minutes; events stop while 95 % fail",
			ReadsAnswer: "slash commands and interactions",
		},
		Signature:  engine.SignatureForm{Header: "X-Slack-Signature", Prefix: "v0="},
		Timestamp:  engine.TimePlace{Place: engine.Place{Header: "X-Slack-Request-Timestamp"}},
		Signed:     "v0:{timestamp}:{body}",
		ID:         engine.Place{Body: "event_id"},
		Event:      engine.EventPlace{Body: "event.type"},
		OccurredAt: engine.BodyTime{Body: "event_time"},
		Tenant:     "team_id",
		Handshake:  slackHandshake,
	})
}

// slackHandshake answers the url_verification of the Events API, and the
// ssl_check with which Slack tests the certificate of a slash command's URL
// (docs.slack.dev). The latter is not signed.
var slackHandshake = &engine.Handshake{
	Asks:     "POST `url_verification`, signed; POST `ssl_check=1` with a `token`, not signed, for the URL of a slash command",
	Signed:   meetSlack,
	Unsigned: meetSSLCheck,
}

func meetSlack(_ engine.Key, body []byte) (*engine.Reply, error) {
	if reply := meetSSLCheck(body); reply != nil {
		return reply, nil
	}
	found, _ := engine.Members(body, slackMembers)
	kind, challenge := found[0].Text(), found[1].Text()
	switch {
	case kind != "url_verification":
		return nil, nil
	case !engine.IsChallenge(challenge):
		return nil, engine.RefuseChallenge("challenge")
	}
	return &engine.Reply{ContentType: engine.ContentTypeText, Body: []byte(challenge)}, nil
}

var slackMembers = engine.Paths("type", "challenge")

// meetSSLCheck answers a form that contains ssl_check=1, the old verification
// token and no other field. With another field it could be an unsigned command.
func meetSSLCheck(body []byte) *engine.Reply {
	checks, tokens := 0, 0
	for field := range bytes.SplitSeq(body, []byte("&")) {
		switch name, value, _ := bytes.Cut(field, []byte("=")); {
		case string(name) == "ssl_check" && string(value) == "1":
			checks++
		case string(name) == "token":
			tokens++
		default:
			return nil
		}
	}
	if checks != 1 || tokens > 1 {
		return nil
	}
	return &engine.Reply{ContentType: engine.ContentTypeText}
}
