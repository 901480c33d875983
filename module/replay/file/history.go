package file

import (
	"context"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
)

// history holds the events of a label: delivered ones in a bucket of the file,
// and those that are being handled in memory, so that any end of the process
// releases them.
type history struct {
	database *database
	bucket   []byte

	mu       sync.Mutex
	reserved replay.Held
	// unsaved are entries of events that were delivered while the file could not
	// be written. They are removed once they have been written.
	unsaved map[replay.Key]entry
}

func newHistory(db *database, label string) *history {
	return &history{
		database: db,
		bucket:   bucketOf(label),
		reserved: replay.Held{},
		unsaved:  map[replay.Key]entry{},
	}
}

// reserve decides under one lock, so that only one of many callers gets the
// reservation. It holds the lock while it reads the file, so that it sees
// either the reservation or the entry of a delivery that is being recorded.
func (h *history) reserve(e replay.Event) (status replay.Status, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reserved.Has(e.Content) {
		return replay.InFlight, nil
	}
	err = h.database.Read(func(tx *bbolt.Tx) error {
		status, err = h.judge(tx, e)
		return err
	})
	if err != nil || status != replay.Reserved {
		return status, err
	}
	if err := h.database.Writable(); err != nil {
		return 0, err
	}
	h.reserved.Add(e)
	return replay.Reserved, nil
}

// judge compares an event with the known ones. Its content must not be
// reserved.
func (h *history) judge(tx *bbolt.Tx, e replay.Event) (replay.Status, error) {
	known, ok, err := h.get(tx, e.Content)
	switch {
	case err != nil:
		return 0, err
	case ok && known.mark == e.Unsigned:
		return replay.Duplicate, nil
	case ok:
		return replay.ContentConflict, nil
	case e.Occurrence == replay.Key{}:
		return replay.Reserved, nil
	case h.reserved.Has(e.Occurrence):
		return replay.InFlight, nil
	}
	known, ok, err = h.get(tx, e.Occurrence)
	switch {
	case err != nil:
		return 0, err
	case ok && known.mark != e.Content.Mark():
		return replay.OccurrenceConflict, nil
	}
	return replay.Reserved, nil
}

// get returns a delivered entry that has not expired.
func (h *history) get(tx *bbolt.Tx, key replay.Key) (known entry, ok bool, err error) {
	known, ok = h.unsaved[key]
	if !ok {
		known, ok, err = lookUp(tx.Bucket(h.bucket), key)
	}
	return known, ok && known.expires > h.database.clock.now(), err
}

// entries returns how many entries are in the file. The file stores the number,
// because every scrape of the metrics asks for it.
func (h *history) entries() (n int, err error) {
	err = h.database.Read(func(tx *bbolt.Tx) error {
		n = int(tx.Bucket(h.bucket).Sequence())
		return nil
	})
	return n, err
}

func (h *history) release(e replay.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reserved.Remove(e)
}

// delivery returns the write that turns a reservation into entries. The caller
// may stop waiting for it: the writer updates the history.
func (h *history) delivery(e replay.Event, ttl time.Duration) *boltfile.Write {
	expires := h.database.clock.now() + ttl.Milliseconds()
	entries := map[replay.Key]entry{e.Content: {expires: expires, mark: e.Unsigned, occurrence: e.Occurrence}}
	if e.Occurrence != (replay.Key{}) {
		entries[e.Occurrence] = entry{expires: expires, mark: e.Content.Mark()}
	}
	w := boltfile.NewWrite(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(h.bucket)
		for key, known := range entries {
			if err := put(bucket, key, known); err != nil {
				return err
			}
		}
		return nil
	})
	w.Again = true
	tried := false
	w.Written = func(err error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if !tried { // on a later attempt, the reservation may be a newer one
			h.reserved.Remove(e)
		}
		tried = true
		for key, known := range entries {
			if err != nil {
				h.unsaved[key] = known
			} else {
				delete(h.unsaved, key)
			}
		}
	}
	return w
}

// forget removes a delivered event and the entry of its occurrence ID, if that
// entry still belongs to the event.
func (h *history) forget(ctx context.Context, content replay.Key) (replay.Status, error) {
	h.mu.Lock()
	inFlight := h.reserved.Has(content)
	h.mu.Unlock()
	if inFlight {
		return replay.InFlight, nil
	}
	if err := h.database.Writable(); err != nil {
		return 0, err
	}
	status := replay.Unknown
	w := boltfile.NewWrite(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(h.bucket)
		known, ok, err := lookUp(bucket, content)
		if err != nil || !ok || known.expires <= h.database.clock.now() {
			return err
		}
		status = replay.Forgotten
		if err := remove(bucket, content[:]); err != nil {
			return err
		}
		occurrence, ok, err := lookUp(bucket, known.occurrence)
		if err != nil || !ok || occurrence.mark != content.Mark() {
			return err
		}
		return remove(bucket, known.occurrence[:])
	})
	h.database.Enqueue(w)
	if err := w.Wait(ctx); err != nil {
		return 0, err
	}
	return status, nil
}
