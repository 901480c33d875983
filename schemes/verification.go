package schemes

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha512"
	"hash"
)

// Verification is one delivery being verified. It is not safe for concurrent
// use.
type Verification struct {
	// Claim is what the headers say.
	Claim Claim

	verifier *Verifier
	hashers  []hasher
	streams  bool // the first of them grows while the body arrives
	reading  int  // which of the texts that can be signed is tried
	matched  *verifierKey
	message  []byte // what is signed, once somebody needs it as a whole
	complete bool   // the message is
}

// hasher makes one MAC, or the digest of public keys.
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

// begin starts over with the claim.
func (d *Verification) begin() {
	d.read(0)
	d.matched = nil
	if d.streams {
		d.hashers[0].Reset()
		d.hashers[0].Write(d.Claim.Prefix)
	}
}

// read turns to another reading of what is signed.
func (d *Verification) read(reading int) {
	for i := range d.hashers {
		d.hashers[i].complete = false
	}
	d.reading, d.complete = reading, false
}

// Write adds a piece of the body, in order. It never fails.
func (d *Verification) Write(p []byte) (int, error) {
	if d.streams {
		return d.hashers[0].Write(p)
	}
	return len(p), nil
}

// Verify decides once the whole body has been written. It returns the position
// of the secret that matches, the first being 1, or a *Refusal. The body is
// passed again because only the first key's MAC grew while it arrived: the
// others are needed only while a secret is being rotated.
func (d *Verification) Verify(body []byte) (int, error) {
	begins := d.verifier.scheme.BodyBegins
	if len(body) < len(begins) || string(body[:len(begins)]) != begins {
		return 0, d.verifier.begins
	}
	for reading := range max(1, d.verifier.scheme.Readings) {
		if reading > 0 {
			d.read(reading)
		}
		if d.verifier.scheme.SignedText != nil {
			if _, err := d.Signed(body); err != nil {
				return 0, err
			}
		}
		for i := range d.verifier.keys {
			if k := &d.verifier.keys[i]; d.matches(k, body) {
				d.matched = k
				return k.secret, nil
			}
		}
	}
	return 0, mismatch
}

// matches tries a key on every signature of its variant.
func (d *Verification) matches(k *verifierKey, body []byte) bool {
	for i := range d.Claim.Signatures {
		s := &d.Claim.Signatures[i]
		if s.variant != k.Variant {
			continue
		}
		var ok bool
		switch public := k.Public.(type) {
		case ed25519.PublicKey:
			message, _ := d.Signed(body)
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
		case at > 0:
			h.Reset()
			h.Write(d.Claim.Prefix)
			h.Write(body)
			h.Write(d.Claim.Suffix)
		default:
			h.Write(d.Claim.Suffix)
		}
		h.Sum(h.sum[:0])
		h.complete = true
	}
	return h.sum[:h.Size()]
}

// Signed gives what is signed, for a body; its errors are *Refusal. Where there
// are several readings it is the first, and after Verify the one that matches,
// or else the last. It is good until Close.
func (d *Verification) Signed(body []byte) ([]byte, error) {
	if d.complete {
		return d.message, nil
	}
	d.message = d.message[:0]
	if text := d.verifier.scheme.SignedText; text != nil {
		message, err := text(d.message, &d.Claim, body, d.reading)
		if err != nil {
			return nil, err
		}
		d.message = message
	} else {
		d.message = append(append(append(d.message, d.Claim.Prefix...), body...), d.Claim.Suffix...)
	}
	d.complete = true
	return d.message, nil
}

// Content gives what makes the identity of a verified delivery that has no id,
// beside the claim's: the body, or the signed text where two bodies can have the
// same. It is good until Close.
func (d *Verification) Content(body []byte) []byte {
	if d.verifier.scheme.SignedText != nil {
		return d.message
	}
	return body
}

// Cut gives what is not signed and tells deliveries with one signed text apart,
// empty where nothing does.
func (d *Verification) Cut(body []byte) []byte {
	if d.verifier.scheme.Cut == nil {
		return nil
	}
	return d.verifier.scheme.Cut(nil, &d.Claim, body)
}

// Facts gives what a verified delivery tells. Only what can be an id is one.
func (d *Verification) Facts(body []byte) Facts {
	facts := d.verifier.scheme.Read(&d.Claim, body)
	if facts.ID == "" {
		facts.ID = d.Claim.ID
	}
	if !isID(facts.ID) {
		facts.ID = ""
	}
	return facts
}

// Handshake answers a verified delivery that is a handshake, as
// Handshake.Signed says.
func (d *Verification) Handshake(body []byte) (*Reply, error) {
	h := d.verifier.scheme.Handshake
	if h == nil || h.Signed == nil || d.matched == nil {
		return nil, nil
	}
	return h.Signed(d.matched.Key, body)
}

// maxKept bounds, in bytes, what a verification keeps of one delivery's memory
// for the next one.
const maxKept = 64 << 10

// Close gives the verification back. Neither it nor its Claim may be used
// afterwards.
func (d *Verification) Close() {
	for i := range d.hashers {
		clear(d.hashers[i].sum[:])
	}
	if cap(d.message) > maxKept {
		d.message = nil
	}
	if cap(d.Claim.Prefix)+cap(d.Claim.Suffix) > maxKept {
		d.Claim = Claim{}
	}
	d.verifier.pool.Put(d)
}
