package engine

import (
	"encoding/base64"
	"encoding/hex"
)

// Signatures are decoded to bytes before they are compared. Every decoder here
// accepts only one spelling of the bytes, apart from the case of hex digits.

// The base64 encodings of signatures.
var (
	StrictBase64       = base64.StdEncoding.Strict()
	StrictBase64URL    = base64.URLEncoding.Strict()
	StrictRawBase64URL = base64.RawURLEncoding.Strict()
)

// Signature is a signature that was sent, decoded. SignedHeaders.AddHex and
// SignedHeaders.AddBase64 make one.
type Signature struct {
	variant int
	size    int
	bytes   [maxSignatureLen]byte
}

// Bytes returns the signature.
func (s *Signature) Bytes() []byte { return s.bytes[:s.size] }

// maxSignatureText is the length of the longest signature, written in hex.
const maxSignatureText = 2 * maxSignatureLen

// MaxSignatures bounds the signatures of one delivery, so that a sender cannot
// cause work with a long list; a delivery with more is refused.
// MaxPublicSignatures bounds those that are verified with a public key.
const (
	MaxSignatures       = 16
	MaxPublicSignatures = 4
)

// AddHex adds a signature in hex digits of either case. It reports whether the
// text is a signature of the given size in bytes; size 0 allows any size.
func (c *SignedHeaders) AddHex(text string, size, variant int) bool {
	if len(text)%2 != 0 || len(text) > maxSignatureText || len(c.Signatures) == MaxSignatures {
		return false
	}
	var digits [maxSignatureText]byte
	copy(digits[:], text)
	var out [maxSignatureLen]byte
	n, err := hex.Decode(out[:], digits[:len(text)])
	if err != nil || n == 0 || size > 0 && n != size {
		return false
	}
	s := c.add(variant)
	s.size = copy(s.bytes[:], out[:n])
	return true
}

// AddBase64 adds a signature in an encoding, which must be strict: others
// accept two texts for the same bytes. It returns what AddHex returns.
func (c *SignedHeaders) AddBase64(enc *base64.Encoding, text string, size, variant int) bool {
	// The decoder writes up to the decoded length of the whole text, which may
	// be two bytes more than the text holds, and skips line breaks.
	const most = (maxSignatureLen + 2) / 3 * 4
	if len(text) > most || size > 0 && enc.EncodedLen(size) != len(text) || len(c.Signatures) == MaxSignatures {
		return false
	}
	var in [most]byte
	var out [maxSignatureLen + 3]byte
	n, err := enc.Decode(out[:], in[:copy(in[:], text)])
	if err != nil || n == 0 || n > maxSignatureLen || enc.EncodedLen(n) != len(text) || size > 0 && n != size {
		return false
	}
	s := c.add(variant)
	s.size = copy(s.bytes[:], out[:n])
	return true
}

// add makes room for a signature.
func (c *SignedHeaders) add(variant int) *Signature {
	if len(c.Signatures) < cap(c.Signatures) {
		c.Signatures = c.Signatures[:len(c.Signatures)+1]
	} else {
		c.Signatures = append(c.Signatures, Signature{})
	}
	s := &c.Signatures[len(c.Signatures)-1]
	s.variant, s.size = variant, 0
	return s
}
