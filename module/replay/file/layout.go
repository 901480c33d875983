package file

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"

	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/replay"
)

// A file has a bucket about itself and one for each label.
var (
	aboutBucket = []byte("hooklatch")
	formatKey   = []byte("format")
	clockKey    = []byte("clock")
	format      = []byte{1}

	labelPrefix = []byte("label/")
)

var errForeign = errors.New("it belongs to another program, or to a newer version")

func bucketOf(label string) []byte { return append(bytes.Clone(labelPrefix), label...) }

// labelFrom finds the first label's bucket whose name is not below the given
// one.
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

// recognise reads the time that the file has seen last, or makes a new file
// this store's own.
func recognise(tx *bbolt.Tx) (seen int64, err error) {
	if about := tx.Bucket(aboutBucket); about != nil {
		clock := about.Get(clockKey)
		if !bytes.Equal(about.Get(formatKey), format) || len(clock) != 8 {
			return 0, errForeign
		}
		return int64(binary.BigEndian.Uint64(clock)), nil
	}
	if first, _ := tx.Cursor().First(); first != nil {
		return 0, errForeign
	}
	about, err := tx.CreateBucket(aboutBucket)
	if err != nil {
		return 0, err
	}
	return 0, about.Put(formatKey, format)
}

// check reads a file through. bbolt trusts its pages and panics on one that
// cannot be right; guarded turns that into an error, at startup and not on a
// delivery. A value that is damaged and well-formed is not found.
func check(tx *bbolt.Tx, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if size := tx.Size(); info.Size() < size {
		return wrong("it is cut short: %d of %d bytes", info.Size(), size)
	}
	// Reading the file from its beginning is much faster than in the order of its
	// tree, and a sector that cannot be read is an error here and a fault there.
	if _, err := io.Copy(io.Discard, io.NewSectionReader(file, 0, tx.Size())); err != nil {
		return err
	}
	return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
		if bucket == nil {
			return wrong("an entry that is in no bucket")
		}
		var last []byte
		return bucket.ForEach(func(key, value []byte) error {
			if last != nil && bytes.Compare(key, last) <= 0 {
				return wrong("its keys are not in order")
			}
			last = key
			if !bytes.HasPrefix(name, labelPrefix) {
				return nil
			}
			if len(key) != len(replay.Key{}) {
				return wrong("a key of %d bytes", len(key))
			}
			_, err := decode(value)
			return err
		})
	})
}

// stamp notes the time.
func stamp(tx *bbolt.Tx, now int64) error {
	return tx.Bucket(aboutBucket).Put(clockKey, binary.BigEndian.AppendUint64(nil, uint64(now)))
}
