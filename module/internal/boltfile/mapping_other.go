//go:build !linux

package boltfile

// readAhead is what only Linux has.
const readAhead = 0
