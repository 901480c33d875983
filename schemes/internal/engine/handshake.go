package engine

import (
	"fmt"
	"net/url"
)

// Handshake is a request with which a provider checks that an endpoint belongs
// to its user, before it delivers anything to it. It has Signed or Query, and
// may have Unsigned as well. They return nil for a request that is not a
// handshake. Signed and Query return a Refusal for one that must not be
// answered.
type Handshake struct {
	// Asks describes the provider's request in a few words. It is only shown.
	Asks string

	// Signed answers a handshake that is signed like a delivery. It is called
	// after signature and time are verified, with the key that matches. A text
	// that it signs with that key must never be able to pass for a delivery.
	Signed func(key Key, body []byte) (*Reply, error)

	// Query answers an unsigned GET request with the handshake in its query.
	// The provider sends a token that its user has chosen; known compares it in
	// constant time.
	Query func(query url.Values, known func(token string) bool) (*Reply, error)

	// Unsigned answers an unsigned POST request with a body of at most
	// MaxUnsigned bytes. Anyone can send one, so the answer must be the same
	// for every sender: it contains nothing from a secret or from the body.
	Unsigned func(body []byte) *Reply
}

// MaxUnsigned bounds, in bytes, the body of a handshake that is not signed.
const MaxUnsigned = 1 << 10

// Reply is the answer to a handshake.
type Reply struct {
	// Status is the HTTP status. Default: 200.
	Status      int
	ContentType string
	Body        []byte
}

// The content types of replies.
const (
	ContentTypeText = "text/plain; charset=utf-8"
	ContentTypeJSON = "application/json"
)

const maxChallenge = 128

// challengeGrammar is the grammar of text that may be echoed or signed: base64
// in either alphabet. A browser cannot take it for a page.
var challengeGrammar = grammar{holds: func(ch byte) bool {
	return isIDByte(ch) || ch == '+' || ch == '/' || ch == '='
}}

// IsChallenge reports whether a text may be echoed, or signed.
func IsChallenge(s string) bool { return len(s) <= maxChallenge && isAll(challengeGrammar, s) }

// RefuseChallenge returns the Refusal for a text that is not a challenge.
func RefuseChallenge(name string) error {
	return Refuse(MalformedSignature, fmt.Sprintf("the handshake's %s is not 1 to %d of A-Z, a-z, 0-9, +, /, =, _ and -", name, maxChallenge))
}
