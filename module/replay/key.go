package replay

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

const idPrefix = "sha256-"

// ID returns the key as the id of a delivery: sha256- and 32 hex digits.
func (k Key) ID() string {
	var text [len(idPrefix) + 2*len(k)]byte
	copy(text[:], idPrefix)
	hex.Encode(text[len(idPrefix):], k[:])
	return string(text[:])
}

// Mark returns the first 64 bits of the key, for uses where they are enough.
// For example, the entry of an occurrence stores the mark of its content.
func (k Key) Mark() uint64 { return binary.BigEndian.Uint64(k[:8]) }

// ParseID parses an id that ID returned. It reports false for any other text.
func ParseID(id string) (k Key, ok bool) {
	digits, ok := strings.CutPrefix(id, idPrefix)
	if !ok || len(digits) != 2*len(k) || strings.ToLower(digits) != digits {
		return Key{}, false
	}
	_, err := hex.Decode(k[:], []byte(digits))
	return k, err == nil
}

// Held is the set of keys of events that are being handled, for stores whose
// reservations live in one process. It is not safe for concurrent use.
type Held map[Key]struct{}

// Has reports whether a key is held.
func (h Held) Has(key Key) bool {
	_, ok := h[key]
	return ok
}

// Add adds the keys of an event.
func (h Held) Add(e Event) {
	h[e.Content] = struct{}{}
	if e.Occurrence != (Key{}) {
		h[e.Occurrence] = struct{}{}
	}
}

// Remove removes the keys of an event.
func (h Held) Remove(e Event) {
	delete(h, e.Content)
	if e.Occurrence != (Key{}) {
		delete(h, e.Occurrence)
	}
}
