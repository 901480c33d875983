package file

import (
	"context"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
)

// database is a file of histories that this process has open.
type database struct {
	*boltfile.File
	path  string
	clock clock

	mu        sync.Mutex
	histories map[string]*history

	// swept is where the next sweep continues.
	swept place
}

func open(path string, now func() time.Time) (*database, error) {
	d := &database{path: path, histories: map[string]*history{}}
	var err error
	d.File, err = boltfile.Open(path, boltfile.Options{
		Kind:        "a replay file",
		Consequence: "new deliveries are refused with 503",
		Emptied:     "an empty history",
		Elsewhere:   "; gateways that run at the same time share a history with replay redis",
		Now:         now,
		Logger:      logger,
		Check:       checkEntry,
		Begin:       func(tx *bbolt.Tx) error { return d.begin(tx, now) },
		Finish:      d.finish,
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// logger returns the logger of the running configuration.
func logger() *zap.Logger { return caddy.Log().Named(replay.Namespace + ".file") }

// begin marks the file as this store's, which also proves that it can be
// written.
func (d *database) begin(tx *bbolt.Tx, now func() time.Time) error {
	seen, err := recognise(tx)
	if err != nil {
		return err
	}
	d.clock.start(now, seen)
	for name, bucket := labelFrom(tx, nil); bucket != nil; name, bucket = labelFrom(tx, append(name, 0)) {
		if err := count(bucket); err != nil {
			return err
		}
	}
	return stamp(tx, d.clock.now())
}

// finish sweeps the file and stores the time at the end of a transaction.
func (d *database) finish(tx *bbolt.Tx, writes int) error {
	if err := d.sweep(tx, sweepAtLeast+sweepPerWrite*writes); err != nil {
		return err
	}
	return stamp(tx, d.clock.now())
}

// history returns the history of a label. All configurations get the same one.
func (d *database) history(ctx context.Context, label string) (*history, error) {
	d.mu.Lock()
	h := d.histories[label]
	if h == nil {
		h = newHistory(d, label)
		d.histories[label] = h
	}
	d.mu.Unlock()

	known := false
	err := d.Read(func(tx *bbolt.Tx) error {
		known = tx.Bucket(h.bucket) != nil
		return nil
	})
	if err != nil || known {
		return h, err
	}
	w := boltfile.NewWrite(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(h.bucket)
		return err
	})
	d.Enqueue(w)
	return h, w.Wait(ctx)
}

// Destruct closes the file when no configuration and no delivery needs it.
func (d *database) Destruct() error {
	lost, err := d.Close()
	if lost > 0 {
		logger().Error("replay file closes without deliveries that it could not write; retries of them would be forwarded again",
			zap.String("path", d.path), zap.Int("deliveries", lost))
	}
	return err
}

// Interface guards
var _ caddy.Destructor = (*database)(nil)
