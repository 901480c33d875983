package file

import (
	"bytes"

	"go.etcd.io/bbolt"
)

// Every transaction looks at a few entries more than it writes and removes the
// expired ones, going round and round through all labels, also those that no
// configuration has any more. So there is no pause and nothing to schedule:
// where nothing is delivered, nothing grows. With four entries looked at for
// each that is written, about a quarter of the file at most is expired.
const (
	sweepPerWrite = 2 * 4 // a write is one entry or two
	sweepAtLeast  = 32
)

// place is where the next sweep goes on.
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

// sweepBucket looks at as many entries as it may and says how many these were.
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
		d.swept = place{bucket: append(d.swept.bucket, 0)} // whatever comes next
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
