// Package boltfiletest simulates failures below a store, for its tests.
package boltfiletest

import (
	"os"
	"syscall"
	"testing"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
)

// FillDisk replaces the open file with one on which every write fails with
// ENOSPC. It returns a function that restores the file. It needs neither
// special rights nor a disk.
func FillDisk(t testing.TB, f *boltfile.File) (makeRoom func()) {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("this system has no /dev/full: %v", err)
	}
	defer full.Close()
	_, opened := f.DB()
	fd := int(opened.Fd())
	saved, err := syscall.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	put := func(from int) {
		if err := syscall.Dup3(from, fd, syscall.O_CLOEXEC); err != nil {
			t.Error(err)
		}
	}
	put(int(full.Fd()))
	var once bool
	makeRoom = func() {
		if !once {
			once = true
			put(saved)
			_ = syscall.Close(saved)
		}
	}
	t.Cleanup(makeRoom)
	return makeRoom
}
