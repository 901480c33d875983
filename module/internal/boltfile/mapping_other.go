//go:build !linux

package boltfile

// readAhead does nothing: only Linux has such a flag.
const readAhead = 0
