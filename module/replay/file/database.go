package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"go.uber.org/zap"
)

// database is a file that this process has open.
type database struct {
	path  string
	db    *bbolt.DB
	file  *os.File // what db has opened, for when it cannot close it any more
	clock clock

	mu        sync.Mutex
	queue     []*write
	closing   bool
	histories map[string]*history

	wake    chan struct{}
	stopped chan struct{}

	// broken is set while the last attempt to write has failed.
	broken      atomic.Pointer[trouble]
	lastAttempt atomic.Pointer[time.Time]

	// The writer's own: what it has to write again, and where it sweeps.
	unwritten []*write
	swept     place
}

// lockWait is how long to wait for a process that is just ending.
const lockWait = time.Second

// open opens a file or makes it, and reads it through once. What damages or
// cannot be written shows now rather than when a delivery comes.
func open(path string, now func() time.Time) (*database, error) {
	d := &database{
		path:      path,
		histories: map[string]*history{},
		wake:      make(chan struct{}, 1),
		stopped:   make(chan struct{}),
	}
	size, err := sizeOf(path)
	if err == nil && size > 0 {
		err = d.inspect()
	}
	if err == nil {
		err = d.openDB(false)
	}
	if err == nil {
		err = guarded(func() error { return d.db.Update(func(tx *bbolt.Tx) error { return d.begin(tx, now) }) })
	}
	if err == nil && size == 0 {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		_ = d.closeDB(isDamage(err)) // the reason is err
		if size == 0 && !errors.Is(err, berrors.ErrTimeout) {
			_ = os.Truncate(path, 0) // or the next start would find half a file
		}
		return nil, explain(path, err)
	}
	go d.run()
	return d, nil
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, errors.New("it is not a file")
	}
	return info.Size(), nil
}

// inspect reads the file through, under a lock that others may read under too.
func (d *database) inspect() error {
	if err := d.openDB(true); err != nil {
		return err
	}
	err := guarded(func() error { return checkStructure(d.file) })
	_ = d.closeDB(false) // it was only read
	return err
}

func (d *database) openDB(readOnly bool) error {
	return guarded(func() (err error) {
		d.db, err = bbolt.Open(d.path, 0o600, &bbolt.Options{
			Timeout:      lockWait,
			FreelistType: bbolt.FreelistMapType,
			ReadOnly:     readOnly,
			NoStatistics: true,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				var err error
				d.file, err = os.OpenFile(name, flag, mode) //nolint:gosec // the operator names the file
				return d.file, err
			},
		})
		return err
	})
}

// closeDB closes what is open. After a panic bbolt may hold locks that it waits
// for when it closes; closing the file is enough to unlock it.
func (d *database) closeDB(panicked bool) error {
	switch {
	case d.db != nil && !panicked:
		return guarded(d.db.Close)
	case d.file != nil:
		_ = d.file.Close() // bbolt may have closed it
	}
	return nil
}

// begin makes the file this store's own, and shows that it can be written.
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

// history returns the history of a label, the same one to every configuration.
func (d *database) history(ctx context.Context, label string) (*history, error) {
	d.mu.Lock()
	h := d.histories[label]
	if h == nil {
		h = newHistory(d, label)
		d.histories[label] = h
	}
	d.mu.Unlock()

	known := false
	err := d.read(func(tx *bbolt.Tx) error {
		known = tx.Bucket(h.bucket) != nil
		return nil
	})
	if err != nil || known {
		return h, err
	}
	w := newWrite(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(h.bucket)
		return err
	})
	d.enqueue(w)
	return h, w.wait(ctx)
}

// Destruct closes the file when no configuration and no delivery needs it.
func (d *database) Destruct() error {
	d.mu.Lock()
	d.closing = true
	d.signal()
	d.mu.Unlock()
	<-d.stopped
	if n := len(d.unwritten); n > 0 {
		logger().Error("replay file closes without deliveries that it could not write; retries of them would be forwarded again",
			zap.String("path", d.path), zap.Int("deliveries", n))
	}
	t := d.broken.Load()
	return d.closeDB(t != nil && isDamage(t.err))
}

// resolve makes one path of all that lead to a file, because its lock would
// keep this process out as well.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved, nil
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", explain(path, err)
	}
	return filepath.Join(folder, filepath.Base(path)), nil
}

// syncFolder makes a new file's name as durable as its content. Windows has no
// way to ask for it.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path) //nolint:gosec // the operator names the folder
	if err != nil {
		return err
	}
	defer folder.Close() //nolint:errcheck // it is only read
	return folder.Sync()
}

// explain adds what the operator can do about a file that cannot be opened.
func explain(path string, err error) error {
	const other = "move it away to begin with an empty history"
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%s is open in another process; stop that one first, or give each its own file; gateways that run at the same time share a history with replay redis", path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrChecksum), errors.Is(err, errForeign):
		return fmt.Errorf("%s is not a replay file, or its beginning is damaged (%w); write another path, or %s", path, err, other)
	case isDamage(err):
		return fmt.Errorf("%s: %w; restore a copy of it, or %s", path, err, other)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w; the folder must be there before the start", path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w; the user that the gateway runs as must be allowed to write the file and its folder", path, err)
	}
	return fmt.Errorf("%s: %w; the file must be on a local disk that has room and can be written", path, err)
}

// guarded turns a panic into an error. bbolt panics on pages that cannot be
// right, and reading a mapped file that was cut short or whose disk fails is a
// memory fault, which ends the process unless it is made a panic.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &damage{fmt.Sprint(p)}
		}
	}()
	return f()
}

// damage is the error of a file whose content cannot be right.
type damage struct{ detail string }

func (d *damage) Error() string { return "the replay file is damaged: " + d.detail }

func wrong(format string, args ...any) error { return &damage{fmt.Sprintf(format, args...)} }

// Interface guards
var _ caddy.Destructor = (*database)(nil)
