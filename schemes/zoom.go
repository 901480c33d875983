package schemes

import (
	"encoding/hex"
	"fmt"
)

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
		OccurredAt: BodyTime{Body: "event_ts", Unit: "ms"},
		Tenant:     "payload.account_id",
		Handshake:  zoomHandshake,
	})
}

// zoomHandshake is endpoint.url_validation (developers.zoom.us), which Zoom
// repeats every 72 hours. The answer is signed with the key of the deliveries;
// what those sign has colons, which no challenge has.
var zoomHandshake = &Handshake{Signed: func(key Key, body []byte) (*Reply, error) {
	found, _ := Members(body, zoomMembers)
	event, token := found[0].Text(), found[1].Text()
	switch {
	case event != "endpoint.url_validation":
		return nil, nil
	case !IsChallenge(token):
		return nil, RefuseChallenge("plainToken")
	}
	mac, err := key.Sign([]byte(token))
	if err != nil {
		return nil, err
	}
	return &Reply{ContentType: ContentTypeJSON, Body: fmt.Appendf(nil,
		`{"plainToken":"%s","encryptedToken":"%s"}`, token, hex.EncodeToString(mac))}, nil
}}

var zoomMembers = Paths("event", "payload.plainToken")
