package engine

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // some providers sign with HMAC-SHA1, which is not broken
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"hash"
	"slices"
	"strings"
)

// Algorithm is the algorithm that a delivery is signed with.
type Algorithm int

// The algorithms. ECDSAP256 uses SHA-256, with signatures in ASN.1 DER.
const (
	HMACSHA256 Algorithm = iota
	HMACSHA1
	HMACSHA384
	HMACSHA512
	Ed25519
	ECDSAP256
)

// maxSignatureLen is the size of the longest signature, in bytes: ECDSA P-256
// in DER.
const maxSignatureLen = 72

// algorithms holds the constants of each algorithm.
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

// String returns the name that operators write.
func (a Algorithm) String() string { return algorithms[a].name }

// public reports whether a public key verifies the signatures.
func (a Algorithm) public() bool { return algorithms[a].hash == nil }

// Key is the key that a secret stands for. It determines the algorithm: a
// sender never chooses it.
type Key struct {
	Algorithm Algorithm

	// Secret is the key of an HMAC.
	Secret []byte

	// Public is the key of the other algorithms: ed25519.PublicKey, or
	// *ecdsa.PublicKey on P-256.
	Public crypto.PublicKey

	// Private signs, for the algorithms with Public. Verifying needs none.
	Private crypto.Signer

	// Variant says which signatures the key is tried on, for schemes with
	// several kinds of signatures.
	Variant int
}

// check rejects a key that cannot verify anything, or that would verify
// forgeries.
func (k *Key) check() error {
	switch public := k.Public.(type) {
	case ed25519.PublicKey:
		if k.Algorithm == Ed25519 && len(public) == ed25519.PublicKeySize {
			return checkOrder(public)
		}
	case *ecdsa.PublicKey:
		if k.Algorithm == ECDSAP256 && public.Curve == elliptic.P256() {
			return nil
		}
	case nil:
		if _, known := algorithms[k.Algorithm]; known && !k.Algorithm.public() {
			return checkSecretKey(k.Secret)
		}
	}
	return errors.New("is not a key of " + k.Algorithm.String())
}

// checkSecretKey rejects HMAC keys with which anyone could sign.
func checkSecretKey(secret []byte) error {
	switch {
	case len(bytes.TrimRight(secret, "\x00")) == 0:
		return errEmptySecret // an HMAC pads its key with zeros
	case len(bytes.TrimSpace(secret)) == 0:
		return errors.New("is nothing but white space")
	case bytes.HasPrefix(secret, []byte("-----BEGIN ")), bytes.HasPrefix(secret, []byte(keyWhpk)):
		return errors.New("is a public key, which anybody may know; it verifies with the algorithm ed25519 or ecdsa-p256 only, and as the secret of an HMAC anybody could sign with it")
	}
	return nil
}

// smallOrder lists the encodings, without the sign bit, of the points whose
// order is at most 8. Signatures for them can be made without a private key.
// They are the torsion points of edwards25519, in canonical form and in the
// other forms that decoders accept; libsodium lists them in
// ge25519_has_small_order.
var smallOrder = []string{
	"\x00" + strings.Repeat("\x00", 31),
	"\x01" + strings.Repeat("\x00", 31),
	"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
	"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
	"\xec" + strings.Repeat("\xff", 30) + "\x7f",
	"\xed" + strings.Repeat("\xff", 30) + "\x7f",
	"\xee" + strings.Repeat("\xff", 30) + "\x7f",
}

// checkOrder rejects the keys in smallOrder.
func checkOrder(public ed25519.PublicKey) error {
	point := bytes.Clone(public)
	point[len(point)-1] &= 0x7f // the sign
	if slices.Contains(smallOrder, string(point)) {
		return errors.New("is no public key of anybody: signatures under it can be made without a private key")
	}
	return nil
}

// Sign signs the concatenation of the pieces.
func (k *Key) Sign(pieces ...[]byte) ([]byte, error) {
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
	return k.Private.Sign(nil, digest.Sum(nil), crypto.SHA256) // nil: deterministic, as in RFC 6979
}
