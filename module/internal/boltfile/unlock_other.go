//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package boltfile

import "os"

// unlock does nothing, because closing the file releases its lock.
func unlock(*os.File) {}
