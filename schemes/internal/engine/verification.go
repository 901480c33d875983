package engine

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha512"
	"errors"
	"hash"
	"slices"
)

// Verification is one delivery being verified. Write adds its body, Verify
// judges the bytes that were written, and Close ends it. It is not safe for
// concurrent use.
type Verification struct {
	// SignedHeaders holds the values from the headers.
	SignedHeaders SignedHeaders

	verifier *Verifier
	shared   Body   // the caller's body, or nil
	own      []byte // the body, if it is not shared
	written  int    // bytes
	strayed  bool   // the shared body differs from the written bytes, or grew after Verify

	hashers   []hasher
	streams   bool // the first hasher reads the body while it arrives
	anew      bool // the first hasher's text has changed, so it starts over
	candidate int  // the candidate of the signed text that is tried
	decided   bool
	matched   *verifierKey // the matching key once decided, or nil
	refused   error        // why none matched
	message   []byte       // the signed text, once it is needed as a whole
	complete  bool         // whether message is complete
}

// Body is a body that the caller of BeginShared keeps.
type Body interface {
	// Bytes returns the bytes that have arrived so far. Bytes that it has
	// returned must not change.
	Bytes() []byte
}

// given is a body that has been read already.
type given []byte

func (g given) Bytes() []byte { return g }

// hasher computes one MAC, or the digest that public keys verify.
type hasher struct {
	hash.Hash
	complete bool
	sum      [sha512.Size]byte // the largest
}

func (v *Verifier) newVerification() *Verification {
	d := &Verification{
		verifier: v, hashers: make([]hasher, len(v.hashers)),
		streams: len(v.hashers) > 0 && v.scheme.SignedText == nil,
	}
	for i, hash := range v.hashers {
		d.hashers[i].Hash = hash()
	}
	return d
}

// begin resets the verification after the signed headers have been read.
func (d *Verification) begin(shared Body) {
	d.shared, d.own = shared, d.own[:0]
	d.written, d.strayed, d.anew = 0, false, false
	d.decided, d.matched, d.refused = false, nil, nil
	d.read(0)
	if d.streams {
		d.hashers[0].Reset()
		d.hashers[0].Write(d.SignedHeaders.Prefix)
	}
}

// read switches to another candidate for the signed text.
func (d *Verification) read(candidate int) {
	for i := range d.hashers {
		d.hashers[i].complete = false
	}
	d.candidate, d.complete = candidate, false
}

// errStrayed is the error for a program that uses Verification wrongly. The
// delivery then never verifies.
var errStrayed = errors.New("the body is not what was written to the verification")

// Write adds a piece of the body, in order. It fails only if the piece is not
// at the end of a shared body, or is written after Verify. The delivery then
// never verifies.
func (d *Verification) Write(p []byte) (int, error) {
	d.written += len(p)
	d.complete = false
	if d.shared == nil {
		d.own = append(d.own, p...)
	}
	if d.decided || d.shared != nil && !endsIn(d.shared.Bytes(), d.written, p) {
		d.strayed = true
		return 0, errStrayed
	}
	if d.streams {
		d.hashers[0].Write(p)
	}
	return len(p), nil
}

// endsIn reports whether a body has a size and ends in a piece. Usually the
// piece shares memory with that end, and no bytes are compared.
func endsIn(body []byte, size int, piece []byte) bool {
	if len(body) != size || len(piece) > size {
		return false
	}
	end := body[size-len(piece):]
	return len(piece) == 0 || &end[0] == &piece[0] || bytes.Equal(end, piece)
}

// body returns the body.
func (d *Verification) body() []byte {
	if d.shared != nil {
		return d.shared.Bytes()
	}
	return d.own
}

// Verify checks the signature and then the signed time, and returns the event.
// The whole body must have been written. With ErrNoSignedTime, ErrStale and
// ErrFuture it returns the event too, which is authentic; with any other error
// the event is empty.
func (d *Verification) Verify() (Event, error) {
	secret, err := d.Authenticate()
	if err != nil {
		return Event{}, err
	}
	v := d.verifier
	event := d.event()
	event.Secret, event.JudgedAt = secret, v.now()
	event.OccurrenceID, event.UnsignedType = d.SignedHeaders.OccurrenceID, d.SignedHeaders.UnsignedEvent
	switch {
	case v.scheme.Time == TimeInHeaders:
		event.SentAt = d.SignedHeaders.SentAt
	case v.scheme.Time == TimeInBody && v.window.Judged:
		event.SentAt = event.BodyTime
	}
	return event, v.window.Judge(event.SentAt, event.JudgedAt)
}

// Authenticate checks only the signature, for programs that check the time
// themselves; others call Verify. It returns the position of the secret that
// matches, the first being 1.
func (d *Verification) Authenticate() (secret int, err error) {
	if !d.decided {
		d.decided = true
		d.matched, d.refused = d.match()
	}
	switch {
	case d.strayed:
		return 0, errStrayed
	case d.refused != nil:
		return 0, d.refused
	}
	return d.matched.secret, nil
}

// match finds the key that a signature matches. Only the first key's MAC is
// computed while the body arrives: the others are needed only while a secret is
// being rotated.
func (d *Verification) match() (*verifierKey, error) {
	body, scheme := d.body(), d.verifier.scheme
	if len(body) != d.written {
		d.strayed = true
		return nil, errStrayed
	}
	if !bytes.HasPrefix(body, d.verifier.bodyBegins) {
		return nil, d.verifier.begins
	}
	for candidate := range max(1, scheme.Candidates) {
		d.read(candidate)
		if scheme.SignedText != nil {
			switch _, err := d.Signed(); {
			case err == ErrNoCandidate: //nolint:errorlint // this error is never wrapped, and others may hold a nil pointer
				continue
			case err != nil:
				return nil, refusalOf(err)
			}
		}
		if k := d.matchesAny(body); k != nil {
			return k, nil
		}
	}
	if k := d.matchesBareHost(body); k != nil {
		return k, nil
	}
	d.read(0)
	return nil, mismatch
}

// matchesAny finds the key that a signature matches, or nil.
func (d *Verification) matchesAny(body []byte) *verifierKey {
	for i := range d.verifier.keys {
		if k := &d.verifier.keys[i]; d.matches(k, body) {
			return k
		}
	}
	return nil
}

// matchesBareHost tries the URL without its path. A provider signs the URL that
// it was given. If that URL has no path, HTTP still sends a slash.
func (d *Verification) matchesBareHost(body []byte) *verifierKey {
	c := &d.SignedHeaders
	bare, ok := c.url.withoutPath()
	if d.verifier.scheme.SignedText != nil || !ok {
		return nil
	}
	text := &c.Prefix
	if c.urlInSuffix {
		text = &c.Suffix
	}
	// Where the URL is, and not where its text is first: a header may hold it too.
	received := *text
	if c.urlAt > len(received) {
		return nil
	}
	before, rest := received[:c.urlAt], received[c.urlAt:]
	after, found := bytes.CutPrefix(rest, c.url.text())
	if !found {
		return nil // a scheme in Go has put it elsewhere
	}
	*text = slices.Concat(before, bare, after)
	d.read(0)
	d.anew = true
	k := d.matchesAny(body)
	if k == nil {
		*text = received
	}
	return k
}

// matches tries a key on every signature of its variant.
func (d *Verification) matches(k *verifierKey, body []byte) bool {
	for i := range d.SignedHeaders.Signatures {
		s := &d.SignedHeaders.Signatures[i]
		if s.variant != k.Variant {
			continue
		}
		var ok bool
		switch public := k.Public.(type) {
		case ed25519.PublicKey:
			message, _ := d.Signed()
			ok = ed25519.Verify(public, message, s.Bytes())
		case *ecdsa.PublicKey:
			ok = ecdsa.VerifyASN1(public, d.sum(k.hasher, body), s.Bytes())
		default:
			ok = hmac.Equal(d.sum(k.hasher, body), s.Bytes())
		}
		if ok {
			return true
		}
	}
	return false
}

// sum completes a hash, once.
func (d *Verification) sum(at int, body []byte) []byte {
	h := &d.hashers[at]
	if !h.complete {
		switch {
		case d.verifier.scheme.SignedText != nil:
			h.Reset()
			h.Write(d.message)
		case at > 0 || d.anew:
			h.Reset()
			h.Write(d.SignedHeaders.Prefix)
			h.Write(body)
			h.Write(d.SignedHeaders.Suffix)
		default:
			h.Write(d.SignedHeaders.Suffix)
		}
		h.Sum(h.sum[:0])
		h.complete = true
	}
	return h.sum[:h.Size()]
}

// Signed returns the signed text for the body that has been written. If there
// are several candidates it returns the first, and after Verify the one that
// matches, if any. Its errors are of type Refusal. The text is valid until
// Close.
func (d *Verification) Signed() ([]byte, error) {
	if d.complete {
		return d.message, nil
	}
	d.message = d.message[:0]
	if text := d.verifier.scheme.SignedText; text != nil {
		message, err := text(d.message, &d.SignedHeaders, d.body(), d.candidate)
		if err != nil {
			return nil, err
		}
		d.message = message
	} else {
		d.message = append(append(append(d.message, d.SignedHeaders.Prefix...), d.body()...), d.SignedHeaders.Suffix...)
	}
	d.complete = true
	return d.message, nil
}

// Content returns the content that identifies a verified delivery without an
// id, together with SignedHeaders.Identity: the body, or the signed text if two
// bodies can have the same one. It is valid until Close.
func (d *Verification) Content() []byte {
	if d.verifier.scheme.SignedText != nil {
		return d.message
	}
	return d.body()
}

// Boundaries returns the unsigned text that distinguishes deliveries with the
// same signed text, or nothing if the scheme needs none.
func (d *Verification) Boundaries() []byte {
	if d.verifier.scheme.Boundaries == nil {
		return nil
	}
	return d.verifier.scheme.Boundaries(nil, &d.SignedHeaders, d.body())
}

// event reads the event of a verified delivery. It drops an id that does not
// have the form of one.
func (d *Verification) event() Event {
	event := d.verifier.scheme.Read(&d.SignedHeaders, d.body())
	if event.ID == "" {
		event.ID = d.SignedHeaders.ID
	}
	if !isID(idGrammar, event.ID) {
		event.ID = ""
	}
	return event
}

// Handshake answers a verified delivery that is a handshake, as
// Handshake.Signed says.
func (d *Verification) Handshake() (*Reply, error) {
	h := d.verifier.scheme.Handshake
	if h == nil || h.Signed == nil || d.matched == nil || d.strayed {
		return nil, nil
	}
	return h.Signed(d.matched.Key, d.body())
}

// maxKept bounds, in bytes, the memory that a verification keeps for the next
// delivery.
const maxKept = 64 << 10

// Close returns the verification to the verifier. Neither it nor its
// SignedHeaders may be used afterwards.
func (d *Verification) Close() {
	for i := range d.hashers {
		clear(d.hashers[i].sum[:])
	}
	d.shared = nil
	if cap(d.own) > maxKept {
		d.own = nil
	}
	if cap(d.message) > maxKept {
		d.message = nil
	}
	if cap(d.SignedHeaders.Prefix)+cap(d.SignedHeaders.Suffix) > maxKept {
		d.SignedHeaders = SignedHeaders{}
	}
	d.verifier.pool.Put(d)
}
