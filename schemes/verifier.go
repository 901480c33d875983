package schemes

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"net/http"
	"sync"
)

// Verifier verifies the deliveries of one scheme under one or more secrets.
// It may be used by many goroutines at once.
type Verifier struct {
	scheme *Scheme
	keys   []verifierKey
	pool   sync.Pool // of *Verification: a keyed HMAC costs two hash blocks to set up
}

type verifierKey struct {
	bytes  []byte
	secret int // position in the configuration, from 1
}

// NewVerifier prepares a verifier for the secrets, any one of which may match.
// Its errors are *SecretError for a secret that is empty or cannot be decoded.
func (s *Scheme) NewVerifier(secrets ...string) (*Verifier, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no secret")
	}
	v := &Verifier{scheme: s}
	for i, secret := range secrets {
		keys, err := s.keysOf(secret)
		if err != nil {
			return nil, &SecretError{Position: i + 1, Err: err}
		}
		for _, key := range keys {
			v.keys = append(v.keys, verifierKey{bytes: key, secret: i + 1})
		}
	}
	v.pool.New = func() any { return v.newVerification() }
	return v, nil
}

// keysOf is Keys with the check that no scheme may forget.
func (s *Scheme) keysOf(secret string) ([][]byte, error) {
	if secret == "" {
		return nil, errEmptySecret
	}
	keys, err := s.Keys(secret)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if len(key) == 0 {
			return nil, errEmptySecret
		}
	}
	return keys, nil
}

// Scheme tells which scheme is verified.
func (v *Verifier) Scheme() *Scheme { return v.scheme }

// Open reads the claim of a delivery from its headers and begins to verify
// it. Errors are *Refusal. The caller writes the body to the verification as
// it arrives, asks it for the result, and closes it.
func (v *Verifier) Open(h http.Header) (*Verification, error) {
	d := v.pool.Get().(*Verification)
	d.Claim.reset()
	if err := v.scheme.Open(h, &d.Claim); err != nil {
		v.pool.Put(d)
		return nil, err
	}
	mac := d.macs[0]
	mac.Reset()
	mac.Write(d.Claim.Prefix)
	return d, nil
}

// Verification is one delivery being verified. It is not safe for concurrent
// use.
type Verification struct {
	// Claim is what the headers say.
	Claim Claim

	verifier *Verifier
	macs     []hash.Hash // one per key; the first grows with the body
	sum      [sha256.Size]byte
}

func (v *Verifier) newVerification() *Verification {
	d := &Verification{verifier: v}
	for _, key := range v.keys {
		d.macs = append(d.macs, hmac.New(sha256.New, key.bytes))
	}
	return d
}

// Write adds a piece of the body, in order. It never fails.
func (d *Verification) Write(p []byte) (int, error) { return d.macs[0].Write(p) }

// Verify decides once the whole body has been written. It returns the position
// of the secret that matches, the first being 1, or a *Refusal. The body is
// passed again because only the first key's MAC grew while it arrived: the
// others are needed only while a secret is being rotated.
func (d *Verification) Verify(body []byte) (int, error) {
	for i, mac := range d.macs {
		if i > 0 {
			mac.Reset()
			mac.Write(d.Claim.Prefix)
			mac.Write(body)
		}
		if d.matches(mac.Sum(d.sum[:0])) {
			return d.verifier.keys[i].secret, nil
		}
	}
	return 0, mismatch
}

// matches compares in constant time with every MAC that was sent.
func (d *Verification) matches(sum []byte) bool {
	for i := range d.Claim.MACs {
		if hmac.Equal(sum, d.Claim.MACs[i][:]) {
			return true
		}
	}
	return false
}

// Close gives the verification back. Neither it nor its Claim may be used
// afterwards.
func (d *Verification) Close() {
	clear(d.sum[:])
	d.verifier.pool.Put(d)
}

// SignWith makes the headers of a delivery as the provider would send them, with
// the likeliest key of the secret.
func (s *Scheme) SignWith(secret string, d Outgoing) (http.Header, error) {
	keys, err := s.keysOf(secret)
	if err != nil {
		return nil, &SecretError{Position: 1, Err: err}
	}
	return s.Sign(keys[0], d)
}

// hmacSHA256 is the MAC over the pieces, for signing.
func hmacSHA256(key []byte, pieces ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, piece := range pieces {
		mac.Write(piece)
	}
	return mac.Sum(nil)
}
