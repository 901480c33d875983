package boltfile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// reserve is a file that takes up room on the disk, to be used when the disk is
// full: a transaction that removes something needs pages too. While the file is
// missing, nothing that grows is written. A nil reserve has no file and changes
// nothing.
type reserve struct {
	path    string
	missing bool
}

// reserveSize is enough for the pages of any transaction that does not grow.
const reserveSize = 1 << 20

func newReserve(path string) *reserve {
	if path == "" {
		return nil
	}
	info, err := os.Stat(path)
	return &reserve{path: path, missing: err != nil || info.Size() < reserveSize}
}

// fill makes sure that there is a reserve before something grows.
func (r *reserve) fill(batch []*Write) error {
	if r == nil || !r.missing || !slices.ContainsFunc(batch, grows) {
		return nil
	}
	if err := r.write(); err != nil {
		_ = os.Remove(r.path) // a partial file is of no use
		return err
	}
	r.missing = false
	return nil
}

// write fills the file with random content, which no file system can compress.
func (r *reserve) write() (err error) {
	content := make([]byte, reserveSize)
	if _, err := rand.Read(content); err != nil {
		return err
	}
	file, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := file.Write(content); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(r.path))
}

// open removes the file to free its room, and reports whether there was any.
func (r *reserve) open() bool {
	if r.missing {
		return false
	}
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	r.missing = true
	return true
}
