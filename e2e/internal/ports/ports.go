// Package ports reserves TCP ports for the duration of a test run.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
)

// The ports are below the range that Linux and macOS use for outgoing
// connections and for listeners on port 0. Otherwise one of those could take a
// port before a test uses it, or while a server restarts on it.
const (
	first = 20_000
	last  = 29_999
)

// locks are kept open until the process ends, which unlocks them.
var locks struct {
	sync.Mutex
	files []*os.File
}

// Take returns the first of n free ports that follow one another. They belong to
// this process until it ends.
//
// A listener does not show that a port is taken: Caddy listens with
// SO_REUSEPORT, so two gateways on one port both start and share its
// connections. A locked file for each port also keeps out other test runs on
// this machine.
func Take(n int) (int, error) {
	const size = last - first + 1
	begin := rand.IntN(size)
	for i := range size {
		port := first + (begin+i)%size
		if port+n-1 > last {
			continue
		}
		taken, err := take(port, n)
		if err != nil {
			return 0, err
		}
		if taken {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports from %d to %d", n, first, last)
}

// take locks the ports, or none of them, and reports which.
func take(port, n int) (bool, error) {
	var files []*os.File
	for p := port; p < port+n; p++ {
		file, err := lock(p)
		if err == nil && file != nil && free(p) {
			files = append(files, file)
			continue
		}
		for _, f := range append(files, file) {
			if f != nil {
				_ = f.Close()
			}
		}
		return false, err
	}
	locks.Lock()
	defer locks.Unlock()
	locks.files = append(locks.files, files...)
	return true, nil
}

// lock returns the port's locked file, or nil if another process has locked it.
// Each user has a separate folder.
func lock(port int) (*os.File, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("hooklatch-ports-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(port)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return file, nil
	}
	_ = file.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, err
}

// free reports whether nothing listens on the port, on any address.
func free(port int) bool {
	l, err := net.Listen("tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
