package replay

import "encoding/hex"

// ID writes the key as the id of a delivery: sha256- and 32 hex digits.
func (k Key) ID() string {
	const prefix = "sha256-"
	var text [len(prefix) + 2*len(k)]byte
	copy(text[:], prefix)
	hex.Encode(text[len(prefix):], k[:])
	return string(text[:])
}
