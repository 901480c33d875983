package file

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
)

// entry is the value under a key. In the file it is the expiry and the mark,
// big endian, and the occurrence key if there is one.
type entry struct {
	expires int64 // Unix milliseconds of the file's clock
	// mark is the fingerprint of the unsigned values for a content key, and
	// the beginning of the content key for an occurrence key.
	mark uint64
	// occurrence is the occurrence key of a content key, for forgetting both.
	occurrence replay.Key
}

const (
	shortEntry = 8 + 8
	longEntry  = shortEntry + len(replay.Key{})
)

func (e entry) encode() []byte {
	b := make([]byte, 0, longEntry)
	b = binary.BigEndian.AppendUint64(b, uint64(e.expires))
	b = binary.BigEndian.AppendUint64(b, e.mark)
	if e.occurrence != (replay.Key{}) {
		b = append(b, e.occurrence[:]...)
	}
	return b
}

func decode(b []byte) (e entry, err error) {
	if len(b) != shortEntry && len(b) != longEntry {
		return entry{}, boltfile.Wrong("an entry of %d bytes", len(b))
	}
	e.expires = int64(binary.BigEndian.Uint64(b))
	e.mark = binary.BigEndian.Uint64(b[8:])
	copy(e.occurrence[:], b[shortEntry:])
	return e, nil
}

// checkEntry checks an entry when the file is opened.
func checkEntry(bucket, key, value []byte) error {
	if !bytes.HasPrefix(bucket, labelPrefix) {
		return nil
	}
	if len(key) != len(replay.Key{}) {
		return boltfile.Wrong("a key of %d bytes", len(key))
	}
	_, err := decode(value)
	return err
}

// put writes an entry. The sequence number of a bucket counts its entries: it is
// written and rolled back with them.
func put(bucket *bbolt.Bucket, key replay.Key, e entry) error {
	if bucket.Get(key[:]) == nil {
		if err := bucket.SetSequence(bucket.Sequence() + 1); err != nil {
			return err
		}
	}
	return bucket.Put(key[:], e.encode())
}

// remove deletes an entry that exists.
func remove(bucket *bbolt.Bucket, key []byte) error {
	if err := bucket.SetSequence(bucket.Sequence() - 1); err != nil {
		return err
	}
	return bucket.Delete(key)
}

// count recounts the entries of a bucket, which visits every page. Earlier
// versions stored no count.
func count(bucket *bbolt.Bucket) error {
	n := uint64(bucket.Stats().KeyN)
	if n == bucket.Sequence() {
		return nil
	}
	return bucket.SetSequence(n)
}

// lookUp returns an entry, expired or not.
func lookUp(bucket *bbolt.Bucket, key replay.Key) (known entry, ok bool, err error) {
	value := bucket.Get(key[:])
	if value == nil {
		return entry{}, false, nil
	}
	known, err = decode(value)
	return known, err == nil, err
}
