//go:build !linux

// Package boltfiletest simulates failures below a store, for its tests.
package boltfiletest

import (
	"testing"

	"github.com/hooklatch/hooklatch/module/internal/boltfile"
)

// FillDisk skips the test.
func FillDisk(t testing.TB, _ *boltfile.File) (makeRoom func()) {
	t.Helper()
	t.Skip("only Linux has a way to make an open file's disk full")
	return nil
}
