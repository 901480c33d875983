package providers

import (
	"encoding/hex"
	"fmt"
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// zoom signs a version, the send time and the body, with the app's secret
// token. No value in the delivery identifies the event.
func init() {
	engine.Define("zoom", engine.Definition{
		Source:  "developers.zoom.us/docs/api/webhooks: Verify webhook events",
		Witness: engine.Witness{Verifies: "@zoom/rivet 0.4.0", Note: "The library parses the body and writes it again."},
		Sending: engine.Sending{
			Deadline: 3 * time.Second,
			Retries:  "after 5, 20 and 60 minutes",
		},
		Signature:  engine.SignatureForm{Header: "x-zm-signature", Prefix: "v0="},
		Timestamp:  engine.TimePlace{Place: engine.Place{Header: "x-zm-request-timestamp"}},
		Signed:     "v0:{timestamp}:{body}",
		Event:      engine.EventPlace{Body: "event"},
		OccurredAt: engine.BodyTime{Body: "event_ts", Unit: "ms"},
		Tenant:     "payload.account_id",
		Handshake:  zoomHandshake,
	})
}

// zoomHandshake is endpoint.url_validation (developers.zoom.us), which Zoom
// repeats every 72 hours. The answer is signed with the key of the deliveries.
// It cannot pass for one: the signed text of a delivery contains colons, and no
// challenge does.
var zoomHandshake = &engine.Handshake{Asks: "POST `endpoint.url_validation`, signed, again every 72 hours", Signed: func(key engine.Key, body []byte) (*engine.Reply, error) {
	found, _ := engine.Members(body, zoomMembers)
	event, token := found[0].Text(), found[1].Text()
	switch {
	case event != "endpoint.url_validation":
		return nil, nil
	case !engine.IsChallenge(token):
		return nil, engine.RefuseChallenge("plainToken")
	}
	mac, err := key.Sign([]byte(token))
	if err != nil {
		return nil, err
	}
	return &engine.Reply{ContentType: engine.ContentTypeJSON, Body: fmt.Appendf(nil,
		`{"plainToken":"%s","encryptedToken":"%s"}`, token, hex.EncodeToString(mac))}, nil
}}

var zoomMembers = engine.Paths("event", "payload.plainToken")
