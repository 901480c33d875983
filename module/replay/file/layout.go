package file

import (
	"bytes"
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
)

// A file has one bucket about itself and one for each label.
var (
	aboutBucket = []byte("hooklatch")
	formatKey   = []byte("format")
	clockKey    = []byte("clock")
	format      = []byte{1}

	labelPrefix = []byte("label/")
)

func bucketOf(label string) []byte { return append(bytes.Clone(labelPrefix), label...) }

// labelFrom returns the first bucket of a label whose name is not below the
// given one.
func labelFrom(tx *bbolt.Tx, name []byte) ([]byte, *bbolt.Bucket) {
	if len(name) == 0 {
		name = labelPrefix
	}
	found, _ := tx.Cursor().Seek(name)
	if !bytes.HasPrefix(found, labelPrefix) {
		return nil, nil
	}
	return bytes.Clone(found), tx.Bucket(found)
}

// recognise returns the last time stored in the file. It marks a new file as
// this store's.
func recognise(tx *bbolt.Tx) (seen int64, err error) {
	if about := tx.Bucket(aboutBucket); about != nil {
		clock := about.Get(clockKey)
		if !bytes.Equal(about.Get(formatKey), format) || len(clock) != 8 {
			return 0, boltfile.ErrForeign
		}
		return int64(binary.BigEndian.Uint64(clock)), nil
	}
	if first, _ := tx.Cursor().First(); first != nil {
		return 0, boltfile.ErrForeign
	}
	about, err := tx.CreateBucket(aboutBucket)
	if err != nil {
		return 0, err
	}
	return 0, about.Put(formatKey, format)
}

// stamp stores the time.
func stamp(tx *bbolt.Tx, now int64) error {
	return tx.Bucket(aboutBucket).Put(clockKey, binary.BigEndian.AppendUint64(nil, uint64(now)))
}
