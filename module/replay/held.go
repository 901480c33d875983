package replay

// Held are the keys of events that are being handled, for stores whose
// reservations are those of one process. It is not safe for concurrent use.
type Held map[Key]struct{}

// Has reports whether a key is held.
func (h Held) Has(key Key) bool {
	_, ok := h[key]
	return ok
}

// Add holds the keys of an event.
func (h Held) Add(e Event) {
	h[e.Content] = struct{}{}
	if e.Occurrence != (Key{}) {
		h[e.Occurrence] = struct{}{}
	}
}

// Remove lets go of them.
func (h Held) Remove(e Event) {
	delete(h, e.Content)
	if e.Occurrence != (Key{}) {
		delete(h, e.Occurrence)
	}
}
