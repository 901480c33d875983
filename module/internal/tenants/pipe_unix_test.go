//go:build unix

package tenants

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestPipe: opening one does not wait for its other end.
func TestPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	expectError(t, New(dir, joined), "pipe", "no regular file")
}
