package schemes

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
)

// Handshake is a request with which a provider makes sure that an endpoint is
// its user's, before it delivers anything to it. It has one of the functions.
// Both give nothing for a request that is no handshake, and a *Refusal for one
// that must not be answered.
type Handshake struct {
	// Signed answers a handshake that is signed like a delivery. It is asked
	// once signature and time are verified, with the key that matches. What it
	// signs with that key must never be able to pass for a delivery.
	Signed func(key Key, body []byte) (*Reply, error)

	// Query answers a handshake that comes with GET, unsigned, in the query.
	// The provider sends a token that its user has chosen; known compares it
	// in constant time.
	Query func(query url.Values, known func(token string) bool) (*Reply, error)
}

// Reply is the answer to a handshake.
type Reply struct {
	// Status is 200 unless it is set.
	Status      int
	ContentType string
	Body        []byte
}

const (
	plainText = "text/plain; charset=utf-8"
	jsonType  = "application/json"

	maxChallenge = 128
)

// challengeGrammar is what may be echoed, or signed: base64 in either alphabet.
// It is nothing that a browser would take for a page.
var challengeGrammar = grammar{holds: func(ch byte) bool {
	return isIDByte(ch) || ch == '+' || ch == '/' || ch == '='
}}

func isChallenge(s string) bool { return len(s) <= maxChallenge && isAll(challengeGrammar, s) }

// refuseChallenge is for a text that is not echoed.
func refuseChallenge(name string) *Refusal {
	return &Refusal{MalformedSignature, fmt.Sprintf("the handshake's %s is not 1 to %d of A-Z, a-z, 0-9, +, /, =, _ and -", name, maxChallenge)}
}

// twoTexts gives two members of a body as text, those that are missing empty.
func twoTexts(body []byte, paths []path) (first, second string) {
	if found, ok := members(body, paths); ok {
		first, second = found[0].text(), found[1].text()
	}
	return first, second
}

// slackHandshake is the Events API's url_verification (docs.slack.dev).
var slackHandshake = &Handshake{Signed: func(_ Key, body []byte) (*Reply, error) {
	kind, challenge := twoTexts(body, slackMembers)
	switch {
	case kind != "url_verification":
		return nil, nil
	case !isChallenge(challenge):
		return nil, refuseChallenge("challenge")
	}
	return &Reply{ContentType: plainText, Body: []byte(challenge)}, nil
}}

var slackMembers = paths("type", "challenge")

// zoomHandshake is endpoint.url_validation (developers.zoom.us), which Zoom
// repeats every 72 hours. The answer is signed with the key of the deliveries;
// what those sign has colons, which no challenge has.
var zoomHandshake = &Handshake{Signed: func(key Key, body []byte) (*Reply, error) {
	event, token := twoTexts(body, zoomMembers)
	switch {
	case event != "endpoint.url_validation":
		return nil, nil
	case !isChallenge(token):
		return nil, refuseChallenge("plainToken")
	}
	mac, err := key.sign([]byte(token))
	if err != nil {
		return nil, err
	}
	return &Reply{ContentType: jsonType, Body: fmt.Appendf(nil,
		`{"plainToken":"%s","encryptedToken":"%s"}`, token, hex.EncodeToString(mac))}, nil
}}

var zoomMembers = paths("event", "payload.plainToken")

// discordHandshake are the PINGs of interactions (type 1) and of webhook events
// (type 0; docs.discord.com). There type 1 is an event, which a PING has not.
var discordHandshake = &Handshake{Signed: func(_ Key, body []byte) (*Reply, error) {
	found, ok := members(body, discordMembers)
	if !ok || found[1].raw != "" {
		return nil, nil
	}
	switch found[0].raw {
	case "0":
		return &Reply{Status: http.StatusNoContent, ContentType: jsonType}, nil
	case "1":
		return &Reply{ContentType: jsonType, Body: []byte(`{"type":1}`)}, nil
	}
	return nil, nil
}}

var discordMembers = paths("type", "event")

// metaHandshake is the verification request of the Graph API's webhooks
// (developers.facebook.com), as WebSub has it.
var metaHandshake = &Handshake{Query: func(query url.Values, known func(string) bool) (*Reply, error) {
	const mode, token, challenge = "hub.mode", "hub.verify_token", "hub.challenge"
	if _, asked := query[mode]; !asked {
		return nil, nil
	}
	for _, name := range []string{mode, token, challenge} {
		if len(query[name]) != 1 {
			return nil, &Refusal{MalformedSignature, "the handshake's query does not have " + name + " once"}
		}
	}
	switch {
	case query.Get(mode) != "subscribe":
		return nil, &Refusal{MalformedSignature, "the handshake's hub.mode is not subscribe"}
	case !known(query.Get(token)):
		return nil, &Refusal{SignatureMismatch, "the handshake's hub.verify_token is not the one that is configured"}
	case !isChallenge(query.Get(challenge)):
		return nil, refuseChallenge(challenge)
	}
	return &Reply{ContentType: plainText, Body: []byte(query.Get(challenge))}, nil
}}
