package schemes

import (
	"fmt"
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
