package boltfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"
)

// compact rewrites the file without its free pages, if that is worth it: bbolt
// never makes a file smaller. If there is no room for the copy, the file stays
// as it is.
func (f *File) compact() error {
	if f.options.Compact == nil || runtime.GOOS == "windows" { // Windows cannot replace an open file
		return nil
	}
	next := f.path + ".compact"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // it is left from an attempt that was cut off
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	worth := false
	if err := f.Read(func(tx *bbolt.Tx) error {
		worth = f.options.Compact(info.Size(), tx)
		return nil
	}); err != nil || !worth {
		return err
	}
	if err := guarded(func() error { return f.copyTo(next) }); err != nil {
		f.options.Logger().Warn(f.options.name()+" could not be made smaller", zap.String("path", f.path), zap.Error(err))
		_ = os.Remove(next)
		return nil
	}
	// The old file stays locked until the new one is locked, so that no other
	// process can open the file in between.
	old := f.db
	defer old.Close() //nolint:errcheck // nothing was written since
	if err := os.Rename(next, f.path); err != nil {
		return err
	}
	if err := SyncFolder(filepath.Dir(f.path)); err != nil {
		return err
	}
	return f.openDB(false)
}

// copyTo writes a copy and syncs it.
func (f *File) copyTo(path string) (err error) {
	const transaction = 16 << 20
	to, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: f.options.NoFreelistSync, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := bbolt.Compact(to, f.db, transaction); err != nil {
		return err
	}
	return to.Sync()
}
