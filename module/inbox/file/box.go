package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
)

// box is an inbox file that this process has open, with its folder of bodies.
// Each owner has a drawer in it.
type box struct {
	*boltfile.File
	path   string
	folder string
	source timeSource
	clocks clocks

	mu      sync.Mutex
	drawers map[inbox.Owner]*drawer
	bytes   int64 // of entries, and of those being written

	stamped atomic.Int64 // time of the last transaction, by the open clock
}

// stampEvery is how often the time is stored while nothing else is written, so
// that little of it is lost when the process ends.
const stampEvery = time.Minute

// A file is rewritten when it is opened, if it is large and mostly empty. Tests
// lower the limit.
var compactAbove int64 = 64 << 20

const compactRatio = 4

const reserveName = "reserve"

func open(path string, source timeSource) (*box, error) {
	b := &box{path: path, folder: path + ".bodies", source: source, drawers: map[inbox.Owner]*drawer{}}
	fresh, err := b.makeFolder()
	if err != nil {
		return nil, fmt.Errorf("%s: %w; the user that the gateway runs as must be allowed to write the folder that it is in, which must be there before the start", b.folder, err)
	}
	b.File, err = boltfile.Open(path, boltfile.Options{
		Kind:           "an inbox file",
		Consequence:    "no more deliveries are kept",
		Emptied:        "an empty inbox, and " + b.folder + " with it",
		Elsewhere:      "; gateways that run at the same time have an inbox each",
		NoFreelistSync: true,
		Reserve:        filepath.Join(b.folder, reserveName),
		Compact:        worthCompacting,
		Now:            source.now,
		Logger:         logger,
		Check:          checkValue,
		Begin:          b.begin,
		Finish:         b.finish,
	})
	if err != nil {
		if fresh {
			_ = os.Remove(b.folder)
		}
		return nil, err
	}
	if err := b.removeOrphans(); err != nil {
		_, _ = b.Close()
		return nil, fmt.Errorf("%s: %w", b.folder, err)
	}
	return b, nil
}

// logger returns the logger of the running configuration.
func logger() *zap.Logger { return caddy.Log().Named(inbox.Namespace + ".file") }

// makeFolder creates the folder of bodies and reports whether it is new.
func (b *box) makeFolder() (fresh bool, err error) {
	err = os.Mkdir(b.folder, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return false, os.Chmod(b.folder, 0o700) //nolint:gosec // it is a folder
	}
	if err != nil {
		return false, err
	}
	return true, boltfile.SyncFolder(filepath.Dir(b.folder))
}

// begin marks the file as this store's, which also proves that it can be
// written.
func (b *box) begin(tx *bbolt.Tx) error {
	open, wall, err := recognise(tx)
	if err != nil {
		return err
	}
	b.clocks.start(b.source, open, wall)
	if err := eachOwner(tx, func(o inbox.Owner, c counts) {
		b.drawer(o).counts = c
		b.bytes += c.bytes
	}); err != nil {
		return err
	}
	return b.finish(tx, 0)
}

func (b *box) finish(tx *bbolt.Tx, _ int) error {
	now := b.clocks.open.now()
	b.stamped.Store(now)
	return stamp(tx, now, b.clocks.wall.now())
}

func eachOwner(tx *bbolt.Tx, do func(inbox.Owner, counts)) error {
	return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
		o, ok := parseOwner(name)
		if !ok {
			return nil
		}
		c, err := decodeCounts(bucket.Get(countsKey))
		if err == nil {
			do(o, c)
		}
		return err
	})
}

func worthCompacting(size int64, tx *bbolt.Tx) bool {
	var kept int64
	err := eachOwner(tx, func(_ inbox.Owner, c counts) { kept += c.bytes })
	return err == nil && size > compactAbove && size > compactRatio*kept
}

// drawer returns the drawer of an owner. All configurations get the same one.
func (b *box) drawer(o inbox.Owner) *drawer {
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.drawers[o]
	if d == nil {
		d = &drawer{
			box: b, owner: o, bucket: ownerBucket(o),
			held: map[replay.Key]*claim{}, gone: map[replay.Key]struct{}{}, damaged: map[uint64]struct{}{},
		}
		b.drawers[o] = d
	}
	return d
}

// take takes room for a new entry, and reports whether there is any.
func (b *box) take(bytes, most int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bytes > most-b.bytes {
		return false
	}
	b.bytes += bytes
	return true
}

// give gives room back. A negative number takes room.
func (b *box) give(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes -= bytes
}

// owners returns all owners of entries.
func (b *box) owners() []inbox.Owner {
	b.mu.Lock()
	defer b.mu.Unlock()
	var owners []inbox.Owner
	for o, d := range b.drawers {
		if c := d.count(); c.waiting+c.dead > 0 {
			owners = append(owners, o)
		}
	}
	return owners
}

// Destruct closes the file when no configuration and no delivery needs it.
func (b *box) Destruct() error {
	b.Enqueue(boltfile.NewWrite(func(*bbolt.Tx) error { return nil })) // it stores the time
	lost, err := b.Close()
	if lost > 0 {
		logger().Error("inbox closes and could not remove deliveries that the application has taken; they will be delivered again",
			zap.String("path", b.path), zap.Int("deliveries", lost))
	}
	return err
}

// Interface guards
var _ caddy.Destructor = (*box)(nil)
