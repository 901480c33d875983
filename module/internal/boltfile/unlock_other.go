//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package boltfile

import "os"

// unlock does nothing where closing a file is enough.
func unlock(*os.File) {}
