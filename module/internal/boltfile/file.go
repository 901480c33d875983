// Package boltfile opens and writes bbolt files for the stores. Opening returns
// one clear error for anything that may be wrong with a file. One goroutine
// writes, so that many callers share each sync of the disk.
package boltfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/caddyserver/caddy/v2"
	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
	"go.uber.org/zap"
)

// Files holds every open file of this process by its resolved path. The lock of
// a file belongs to the process. So a reload must continue with the file that
// is already open, and everything stored in one file must share it.
var Files = caddy.NewUsagePool()

// File is a file that this process has open.
type File struct {
	path    string
	options Options
	db      *bbolt.DB
	file    *os.File // opened by db; kept for when db can no longer close it

	mu      sync.Mutex
	queue   []*Write
	closing bool

	wake    chan struct{}
	stopped chan struct{}

	// broken is set if the last attempt to write failed.
	broken      atomic.Pointer[trouble]
	lastAttempt atomic.Pointer[time.Time]

	// Used by the writer only: writes that must be repeated, and the reserve for a
	// full disk.
	unwritten []*Write
	reserve   *reserve
}

// Options are a store's settings for a file.
type Options struct {
	// Kind names the kind of file in errors and logs, with its article.
	Kind string
	// Consequence says what happens while the file cannot be written.
	Consequence string
	// Emptied says what a start without the file begins with.
	Emptied string
	// Elsewhere is added to the advice for a file that another process has open.
	Elsewhere string
	// NoFreelistSync leaves the list of free pages out of the file. It is for
	// files that shrink a lot, because the list would be written with every
	// transaction.
	NoFreelistSync bool
	// Reserve is the path of a file that reserves room on the disk. When the disk
	// is full, the file is removed to make room for writes that do not grow. Its
	// folder must exist.
	Reserve string
	// Compact reports whether to rewrite a file of that size when it is opened. It
	// may be nil.
	Compact func(size int64, tx *bbolt.Tx) bool
	// Now returns the time, to decide when to try again.
	Now func() time.Time
	// Logger returns the logger of the running configuration: a file may outlive
	// the configuration that opened it.
	Logger func() *zap.Logger
	// Check checks the values when the file is opened.
	Check Check
	// Begin marks the file as the store's, in the first transaction. It returns
	// ErrForeign if the file belongs to something else.
	Begin func(*bbolt.Tx) error
	// Finish is called at the end of every later transaction, with the number of
	// writes in it.
	Finish func(tx *bbolt.Tx, writes int) error
}

// The reasons why a file cannot be opened.
var (
	// ErrForeign means that the file is not the store's.
	ErrForeign = errors.New("it belongs to another program, or to a newer version")
	// ErrInUse means that another process has the file open.
	ErrInUse = errors.New("is open in another process")
)

// lockWait is how long to wait for a process that is just ending to unlock the
// file.
const lockWait = time.Second

// Open opens or creates a file and reads it through once. Damage and missing
// write permission surface now and not on the first delivery.
func Open(path string, o Options) (*File, error) {
	f := &File{
		path:    path,
		options: o,
		wake:    make(chan struct{}, 1),
		stopped: make(chan struct{}),
	}
	size, err := sizeOf(path)
	if err == nil && size > 0 {
		err = f.inspect()
	}
	if err == nil {
		err = f.openDB(false)
	}
	if err == nil {
		err = guarded(func() error { return f.db.Update(o.Begin) })
	}
	if err == nil && size == 0 {
		err = SyncFolder(filepath.Dir(path))
	}
	if err == nil {
		err = f.compact()
	}
	f.reserve = newReserve(o.Reserve)
	if err != nil {
		_ = f.closeDB(IsDamage(err)) // the reason is err
		if size == 0 && !errors.Is(err, berrors.ErrTimeout) {
			_ = os.Truncate(path, 0) // otherwise the next start would find half a file
		}
		return nil, o.explain(path, err)
	}
	go f.run()
	return f, nil
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

// inspect reads the file through, under a shared lock.
func (f *File) inspect() error {
	if err := f.openDB(true); err != nil {
		return err
	}
	err := guarded(func() error {
		content, err := f.mapped()
		if err != nil {
			return err
		}
		return CheckStructure(content, f.options.Check)
	})
	_ = f.closeDB(false) // it was only read
	return err
}

// mapped returns the file as bbolt has mapped it, because reading it page by
// page takes ten times as long. Accessing it is a memory fault if the file
// becomes shorter.
func (f *File) mapped() ([]byte, error) {
	info, err := f.file.Stat()
	if err != nil {
		return nil, err
	}
	at := f.db.Info().Data
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), info.Size()), nil //nolint:gosec // bbolt has mapped so much
}

// openDB opens and locks the file. It repeats this if another process has
// replaced the file with a compacted one meanwhile.
func (f *File) openDB(readOnly bool) error {
	for {
		if err := f.lockDB(readOnly); err != nil {
			return err
		}
		opened, err := f.file.Stat()
		if err != nil {
			return err
		}
		if named, err := os.Stat(f.path); err == nil && os.SameFile(opened, named) {
			return nil
		}
		if err := f.closeDB(false); err != nil {
			return err
		}
	}
}

func (f *File) lockDB(readOnly bool) error {
	flags := 0
	if readOnly {
		flags = readAhead
	}
	return guarded(func() (err error) {
		f.db, err = bbolt.Open(f.path, 0o600, &bbolt.Options{
			Timeout:        lockWait,
			FreelistType:   bbolt.FreelistMapType,
			NoFreelistSync: f.options.NoFreelistSync,
			ReadOnly:       readOnly,
			MmapFlags:      flags,
			NoStatistics:   true,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				var err error
				f.file, err = os.OpenFile(name, flag, mode) //nolint:gosec // the operator names the file
				return f.file, err
			},
		})
		return err
	})
}

// name is the kind without its article.
func (o Options) name() string {
	_, name, _ := strings.Cut(o.Kind, " ")
	return name
}

// DB returns the database and its file, for tests that break what a store
// relies on.
func (f *File) DB() (db *bbolt.DB, opened *os.File) { return f.db, f.file }

// closeDB closes the database. After a panic, bbolt may hold locks that its
// Close waits for; closeDB then only unlocks and closes the file.
func (f *File) closeDB(panicked bool) error {
	switch {
	case f.db != nil && !panicked:
		return guarded(f.db.Close)
	case f.file != nil:
		unlock(f.file)
		_ = f.file.Close() // bbolt may have closed it
	}
	return nil
}

// Close writes the remaining writes and closes the file. It returns how many
// writes that must not be lost could not be made.
func (f *File) Close() (lost int, err error) {
	f.mu.Lock()
	f.closing = true
	f.signal()
	f.mu.Unlock()
	<-f.stopped
	f.saveFreelist()
	t := f.broken.Load()
	return len(f.unwritten), f.closeDB(t != nil && IsDamage(t.err))
}

// saveFreelist stores the list of free pages, so that the next opening need not
// search for them.
func (f *File) saveFreelist() {
	if !f.options.NoFreelistSync || f.Writable() != nil {
		return
	}
	f.db.NoFreelistSync = false
	_ = f.commit(nil) // without it, they are searched for
}

// Resolve returns the same path for all paths that lead to a file. Otherwise
// the file's lock would also keep this process out.
func Resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved, nil
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("%s: %w; the folder must be there before the start", path, err)
	}
	return filepath.Join(folder, filepath.Base(path)), nil
}

// SyncFolder makes the name of a new file as durable as its content. Windows
// has no call for this.
func SyncFolder(path string) error {
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

// explain adds to the error of opening a file what the operator can do.
func (o Options) explain(path string, err error) error {
	other := "move it away to begin with " + o.Emptied
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%s %w; stop that one first, or give each its own file%s", path, ErrInUse, o.Elsewhere)
	case IsForeign(err):
		return fmt.Errorf("%s is not %s, or its beginning is damaged (%w); write another path, or %s", path, o.Kind, err, other)
	case IsDamage(err):
		return fmt.Errorf("%s: %w; restore a copy of it, or %s", path, err, other)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w; the folder must be there before the start", path, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w; the user that the gateway runs as must be allowed to write the file and its folder", path, err)
	}
	return fmt.Errorf("%s: %w; the file must be on a local disk that has room and can be written", path, err)
}

// IsForeign reports whether an error of Open means that the file belongs to
// something else.
func IsForeign(err error) bool {
	return errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrVersionMismatch) || errors.Is(err, berrors.ErrChecksum) || errors.Is(err, ErrForeign)
}

// guarded turns a panic into an error. bbolt panics on pages that are invalid.
// Reading a mapped file that was cut short, or whose disk fails, is a memory
// fault, which ends the process unless it is turned into a panic.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &Damage{fmt.Sprint(p)}
		}
	}()
	return f()
}

// Damage is the error for a file whose content is invalid.
type Damage struct{ detail string }

func (d *Damage) Error() string { return "the file is damaged: " + d.detail }

// Wrong returns a Damage with a formatted detail.
func Wrong(format string, args ...any) error { return &Damage{fmt.Sprintf(format, args...)} }
