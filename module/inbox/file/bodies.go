package file

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
)

// inlineBody is the largest body, in bytes, that is stored together with its
// request. A larger one would delay all writes in its transaction.
const inlineBody = 64 << 10

// bodyName returns a name that no entry has had before.
func bodyName(content replay.Key) string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // it does not fail
	return hex.EncodeToString(content[:]) + "-" + hex.EncodeToString(random[:])
}

// writeBody writes a body to a file and returns once it is on the disk. If ctx
// ends before that, the file is removed when the disk responds. Until an entry
// refers to it, the file is an orphan, which the next opening removes.
func (b *box) writeBody(ctx context.Context, name string, body []byte) error {
	path := filepath.Join(b.folder, name)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the name is ours
	if err != nil {
		return err
	}
	if _, err := file.Write(body); err != nil {
		_ = file.Close()
		b.removeBody(name)
		return err
	}
	synced := make(chan error, 1)
	go func() {
		err := errors.Join(file.Sync(), file.Close())
		if err == nil {
			err = boltfile.SyncFolder(b.folder)
		}
		synced <- err
	}()
	select {
	case err = <-synced:
		if err != nil {
			b.removeBody(name)
		}
		return err
	case <-ctx.Done():
		go func() {
			<-synced //nolint:errcheck // the body goes in any case
			b.removeBody(name)
		}()
		return ctx.Err()
	}
}

// removeBody removes a body that no entry refers to. If that fails, the next
// opening removes it.
func (b *box) removeBody(name string) {
	if err := os.Remove(filepath.Join(b.folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		logger().Warn("removing a body; the next start removes it", zap.String("path", filepath.Join(b.folder, name)), zap.Error(err))
	}
}

// removeOrphans removes the bodies that no entry refers to, which a crash
// between the two writes leaves.
func (b *box) removeOrphans() error {
	folder, err := os.Open(b.folder)
	if err != nil {
		return err
	}
	defer folder.Close() //nolint:errcheck // it is only read
	for {
		found, err := folder.ReadDir(1000)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var orphans []string
		if err := b.Read(func(tx *bbolt.Tx) error {
			for _, entry := range found {
				if name := entry.Name(); name != reserveName && tx.Bucket(bodiesBucket).Get([]byte(name)) == nil {
					orphans = append(orphans, name)
				}
			}
			return nil
		}); err != nil {
			return err
		}
		for _, name := range orphans {
			b.removeBody(name)
		}
	}
}

// checkedBody reads a body, and fails at its end if the body is not the one
// that was kept.
type checkedBody struct {
	from io.ReadCloser
	left int64
	sum  uint32
	want uint32
}

// Read reads and checks.
func (c *checkedBody) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.left -= int64(n)
	c.sum = crc32.Update(c.sum, castagnoli, p[:n])
	switch {
	case c.left < 0, errors.Is(err, io.EOF) && (c.left > 0 || c.sum != c.want):
		return 0, fmt.Errorf("%w: a body is not the one that was kept", inbox.ErrDamaged)
	}
	return n, err
}

// Close closes the file, if the body is in one.
func (c *checkedBody) Close() error { return c.from.Close() }

// openBody opens the body of an entry.
func (d *drawer) openBody(h *head) (io.ReadCloser, error) {
	checked := &checkedBody{left: h.Size, want: h.Sum}
	if h.File != "" {
		file, err := os.Open(filepath.Join(d.box.folder, h.File))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, known{inbox.ErrDamaged, fmt.Errorf("a body is gone: %w", err)}
		}
		checked.from = file
		return checked, err
	}
	body, err := d.readInline(h)
	checked.from = io.NopCloser(body)
	return checked, err
}
