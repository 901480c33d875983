package schemes

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // HMAC-SHA1 is what some providers sign with, and is not broken
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
)

// Algorithm is how a delivery is signed.
type Algorithm int

// The algorithms. ECDSAP256 is over SHA-256, with signatures in ASN.1 DER.
const (
	HMACSHA256 Algorithm = iota
	HMACSHA1
	HMACSHA384
	HMACSHA512
	Ed25519
	ECDSAP256
)

// maxSignatureLen is the longest signature of all, in bytes: ECDSA P-256 in
// DER.
const maxSignatureLen = 72

// algorithms says what is fixed about each.
var algorithms = map[Algorithm]struct {
	name string           // as operators write it
	size int              // of a signature in bytes; 0 if it varies
	hash func() hash.Hash // of an HMAC; nil for public keys
}{
	HMACSHA256: {"hmac-sha256", sha256.Size, sha256.New},
	HMACSHA1:   {"hmac-sha1", sha1.Size, sha1.New},
	HMACSHA384: {"hmac-sha384", sha512.Size384, sha512.New384},
	HMACSHA512: {"hmac-sha512", sha512.Size, sha512.New},
	Ed25519:    {"ed25519", ed25519.SignatureSize, nil},
	ECDSAP256:  {"ecdsa-p256", 0, nil},
}

// String gives the name that operators write.
func (a Algorithm) String() string { return algorithms[a].name }

// public tells whether the key that verifies is a public one.
func (a Algorithm) public() bool { return algorithms[a].hash == nil }

// Key is what a secret stands for. It decides the algorithm: what a sender
// writes never does.
type Key struct {
	Algorithm Algorithm

	// Secret is the key of an HMAC.
	Secret []byte

	// Public is the key of the other algorithms: ed25519.PublicKey, or
	// *ecdsa.PublicKey on P-256.
	Public crypto.PublicKey

	// Private signs, for the algorithms with Public. Verifying needs none.
	Private crypto.Signer

	// Variant is which signatures the key is tried on, for schemes that tell
	// several kinds of them apart.
	Variant int
}

// check refuses what cannot verify anything, or would verify everything.
func (k *Key) check() error {
	switch public := k.Public.(type) {
	case ed25519.PublicKey:
		if k.Algorithm == Ed25519 && len(public) == ed25519.PublicKeySize {
			return nil
		}
	case *ecdsa.PublicKey:
		if k.Algorithm == ECDSAP256 && public.Curve == elliptic.P256() {
			return nil
		}
	case nil:
		if _, known := algorithms[k.Algorithm]; known && !k.Algorithm.public() {
			if len(k.Secret) == 0 {
				return errEmptySecret
			}
			return nil
		}
	}
	return errors.New("is not a key of " + k.Algorithm.String())
}

// sign signs the pieces, one behind the other.
func (k *Key) sign(pieces ...[]byte) ([]byte, error) {
	if !k.Algorithm.public() {
		mac := hmac.New(algorithms[k.Algorithm].hash, k.Secret)
		for _, piece := range pieces {
			mac.Write(piece)
		}
		return mac.Sum(nil), nil
	}
	if k.Private == nil {
		return nil, errors.New("signing takes the private key, and this is the public one, which only verifies")
	}
	if k.Algorithm == Ed25519 {
		var message []byte
		for _, piece := range pieces {
			message = append(message, piece...)
		}
		return k.Private.Sign(nil, message, crypto.Hash(0))
	}
	digest := sha256.New()
	for _, piece := range pieces {
		digest.Write(piece)
	}
	return k.Private.Sign(nil, digest.Sum(nil), crypto.SHA256) // nil: as RFC 6979 says, without chance
}
