package engine

import (
	"fmt"
	"net/url"
)

// Handshake is a request with which a provider makes sure that an endpoint is
// its user's, before it delivers anything to it. It has Signed or Query, and
// may have Unsigned as well. They give nothing for a request that is no
// handshake, and a Refusal for one that must not be answered.
type Handshake struct {
	// Asks says in a few words what the provider sends. It is only shown.
	Asks string

	// Signed answers a handshake that is signed like a delivery. It is asked
	// once signature and time are verified, with the key that matches. What it
	// signs with that key must never be able to pass for a delivery.
	Signed func(key Key, body []byte) (*Reply, error)

	// Query answers a handshake that comes with GET, unsigned, in the query.
	// The provider sends a token that its user has chosen; known compares it
	// in constant time.
	Query func(query url.Values, known func(token string) bool) (*Reply, error)

	// Unsigned answers a handshake that comes with POST and without a signature,
	// with a body of at most MaxUnsigned bytes. Anybody can send one, so the
	// answer must be the same for everybody: it holds nothing of a secret and
	// nothing of the body.
	Unsigned func(body []byte) *Reply
}

// MaxUnsigned bounds, in bytes, the body of a handshake that is not signed.
const MaxUnsigned = 1 << 10

// Reply is the answer to a handshake.
type Reply struct {
	// Status is 200 unless it is set.
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

// challengeGrammar is what may be echoed, or signed: base64 in either alphabet.
// It is nothing that a browser would take for a page.
var challengeGrammar = grammar{holds: func(ch byte) bool {
	return isIDByte(ch) || ch == '+' || ch == '/' || ch == '='
}}

// IsChallenge reports whether a text may be echoed, or signed.
func IsChallenge(s string) bool { return len(s) <= maxChallenge && isAll(challengeGrammar, s) }

// RefuseChallenge is for a text that is not echoed.
func RefuseChallenge(name string) error {
	return Refuse(MalformedSignature, fmt.Sprintf("the handshake's %s is not 1 to %d of A-Z, a-z, 0-9, +, /, =, _ and -", name, maxChallenge))
}
