package module

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/schemes"
)

// keyer makes the keys of the replay history. All are the first 128 bits of a
// SHA-256; the kinds cannot meet, because a content key's hash begins with the
// label, and the others begin with a sign that no label can hold.
type keyer struct {
	label    string
	withTime bool // `key delivery`: the send time is part of the identity
	unique   bool // occurrence IDs are
	cuts     bool // a signed text can be cut in several ways
	signsID  bool // deliveries have a signed id, though perhaps not all of them
	pool     sync.Pool
}

const (
	withoutIDKind  = "#content\x00"
	occurrenceKind = "#occurrence\x00"
	cutKind        = "#cut\x00"
	variantKind    = "#variant\x00"
	unsignedKind   = "#unsigned\x00"
)

func newKeyer(label string, scheme *schemes.Scheme, withTime bool) *keyer {
	k := &keyer{label: label, withTime: withTime, unique: scheme.UniqueOccurrence, cuts: scheme.Boundaries != nil, signsID: scheme.SignsID}
	k.pool.New = func() any { return &contentHash{Hash: sha256.New()} }
	return k
}

// contentHash is reused.
type contentHash struct {
	hash.Hash
	scratch []byte
	sum     [sha256.Size]byte
}

// content makes the content key: the label, with `key delivery` the send time
// as it was signed, then the signed id; where there is none, what is signed
// besides the body, then the body.
//
// A body must not be taken for the id that has the same text, so what comes
// without an id is of another kind where deliveries have ids. The common keys,
// those of ids and those of bodies where nothing has an id, stay as they were
// before there was this kind: what is in a history is still found.
func (k *keyer) content(claim *schemes.SignedHeaders, id string, body []byte) replay.Key {
	c := k.pool.Get().(*contentHash)
	defer k.pool.Put(c)
	c.Reset()
	c.scratch = c.scratch[:0]
	if k.signsID && id == "" {
		c.scratch = append(c.scratch, withoutIDKind...)
	}
	c.scratch = k.appendHead(c.scratch, claim)
	if id != "" {
		c.scratch = append(c.scratch, id...)
		c.Write(c.scratch)
		return firstBits(c.Sum(c.sum[:0]))
	}
	if len(claim.Identity) > 0 {
		c.scratch = append(append(c.scratch, claim.Identity...), 0)
	}
	c.Write(c.scratch)
	c.Write(body)
	return firstBits(c.Sum(c.sum[:0]))
}

// idKey is the content key of a delivery with a signed id.
func idKey(label, id string) replay.Key {
	return keyOf([]byte(label + "\x00" + id))
}

// appendHead appends what both kinds of keys begin with.
func (k *keyer) appendHead(b []byte, claim *schemes.SignedHeaders) []byte {
	b = append(append(b, k.label...), 0)
	if k.withTime {
		b = append(append(b, claim.SentAtText...), 0)
	}
	return b
}

// event makes the keys of a delivery.
func (k *keyer) event(claim *schemes.SignedHeaders, id string, body, cut []byte) replay.Event {
	e := replay.Event{Content: k.content(claim, id, body), Unsigned: fingerprint(claim, cut)}
	switch {
	case k.cuts:
		e.Occurrence = k.cut(e.Content, cut)
	case k.unique && claim.OccurrenceID.Value != "":
		e.Occurrence = k.occurrence(claim)
	}
	return e
}

// occurrence makes the key of an occurrence ID.
func (k *keyer) occurrence(claim *schemes.SignedHeaders) replay.Key {
	b := k.appendHead([]byte(occurrenceKind), claim)
	return keyOf(append(b, claim.OccurrenceID.Value...))
}

// cut makes the key of the way in which a signed text is cut. The history keeps
// it beside the content in the place of an occurrence ID, so that it can be
// asked whether this cut was delivered: see Handler.compareCut.
func (k *keyer) cut(content replay.Key, cut []byte) replay.Key {
	b := append([]byte(cutKind), k.label...)
	b = append(append(b, 0), content[:]...)
	return keyOf(append(b, cut...))
}

// variant makes the content key of what conflicts and is forwarded all the
// same: content and unsigned values together.
func (k *keyer) variant(content replay.Key, unsigned uint64) replay.Key {
	b := append([]byte(variantKind), k.label...)
	b = append(append(b, 0), content[:]...)
	return keyOf(binary.BigEndian.AppendUint64(b, unsigned))
}

// fingerprint stands for what the provider sends and does not sign, how a signed
// text is cut included. Absence is a value too.
func fingerprint(claim *schemes.SignedHeaders, cut []byte) uint64 {
	if !claim.OccurrenceID.Sent && !claim.UnsignedEvent.Sent && len(cut) == 0 {
		return 0
	}
	b := []byte(unsignedKind)
	for _, u := range []schemes.Unsigned{claim.OccurrenceID, claim.UnsignedEvent} {
		if !u.Sent {
			b = append(b, 0)
			continue
		}
		b = append(b, 1)
		b = binary.BigEndian.AppendUint64(b, uint64(len(u.Value)))
		b = append(b, u.Value...)
	}
	return keyOf(append(b, cut...)).Mark()
}

func keyOf(b []byte) replay.Key {
	sum := sha256.Sum256(b)
	return firstBits(sum[:])
}

func firstBits(sum []byte) (key replay.Key) {
	copy(key[:], sum)
	return key
}
