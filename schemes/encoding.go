package schemes

import (
	"encoding/base64"
	"encoding/hex"
)

// MACs are decoded to bytes before they are compared. Every decoder here takes
// exactly 32 bytes and only one spelling of them, but for the case of hex
// digits.

var (
	strictBase64       = base64.StdEncoding.Strict()
	strictBase64URL    = base64.URLEncoding.Strict()
	strictRawBase64URL = base64.RawURLEncoding.Strict()
)

const (
	hexLen          = 64
	base64Len       = 44
	rawBase64URLLen = 43
)

// decodeHex decodes 64 hex digits of either case.
func decodeHex(s string, mac *[32]byte) bool {
	if len(s) != hexLen {
		return false
	}
	var text [hexLen]byte
	copy(text[:], s)
	_, err := hex.Decode(mac[:], text[:])
	return err == nil
}

// decodeBase64 decodes 32 bytes in the given encoding. The encodings are the
// strict ones: others accept two texts for the same bytes.
func decodeBase64(enc *base64.Encoding, s string, mac *[32]byte) bool {
	if len(s) > base64Len || enc.EncodedLen(len(mac)) != len(s) {
		return false
	}
	var text [base64Len]byte
	copy(text[:], s)
	// The decoder skips line breaks and writes up to the decoded length of
	// the whole text, which is one byte more than the MAC.
	var out [33]byte
	n, err := enc.Decode(out[:], text[:len(s)])
	if err != nil || n != len(mac) {
		return false
	}
	copy(mac[:], out[:])
	return true
}
