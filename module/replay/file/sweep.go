package file

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// Every transaction checks a few more entries than it writes and removes the
// expired ones. It goes through all labels in turn, including those that no
// configuration has any more. So there is no pause and nothing to schedule:
// without deliveries, the file does not grow. With four entries checked for
// each one written, at most about a quarter of the file is expired.
const (
	sweepPerWrite = 2 * 4 // a write is one entry or two
	sweepAtLeast  = 32
)

// place is where the next sweep continues.
type place struct{ bucket, key []byte }

func (d *database) sweep(tx *bbolt.Tx, budget int) error {
	for wrapped := false; budget > 0; {
		name, bucket := labelFrom(tx, d.swept.bucket)
		if bucket == nil {
			d.swept = place{}
			if wrapped {
				return nil // it is a small file, and all of it has been seen
			}
			wrapped = true
			continue
		}
		if !bytes.Equal(name, d.swept.bucket) {
			d.swept = place{bucket: name}
		}
		seen, err := d.sweepBucket(bucket, budget)
		if err != nil {
			return err
		}
		budget -= seen
	}
	return nil
}

// sweepBucket checks up to budget entries and returns how many it has checked.
func (d *database) sweepBucket(bucket *bbolt.Bucket, budget int) (seen int, err error) {
	now := d.clock.now()
	var expired [][]byte
	cursor := bucket.Cursor()
	key, value := cursor.Seek(d.swept.key)
	for ; key != nil && seen < budget; key, value = cursor.Next() {
		seen++
		known, err := decode(value)
		if err != nil {
			return seen, err
		}
		if known.expires <= now {
			expired = append(expired, bytes.Clone(key))
		}
	}
	if key == nil {
		d.swept = place{bucket: append(d.swept.bucket, 0)} // the next bucket
	} else {
		d.swept.key = bytes.Clone(key)
	}
	for _, key := range expired {
		if err := remove(bucket, key); err != nil {
			return seen, err
		}
	}
	return seen, nil
}
