// Package tenants reads the secrets of tenants: a directory with one file for
// each, which is looked at for every delivery and read again when it has changed.
package tenants

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxFile is the largest file that is read, in bytes.
	maxFile = 64 << 10
	// maxSecrets is how many secrets a file may have.
	maxSecrets = 16
	// maxCompiled is how many tenants are kept compiled.
	maxCompiled = 16 << 10
	// settled is how long a file must have been unchanged before its times are
	// believed: two changes within one tick of the kernel's clock look the same.
	settled = 100 * time.Millisecond
)

// ErrUnknown means that there is no file of this name.
var ErrUnknown = errors.New("there is no such tenant")

// Dir is a directory of tenants. V is what a tenant's secrets are compiled to.
// It may be used by many goroutines at once.
type Dir[V any] struct {
	path    string
	compile func(secrets []string) (V, error)
	now     func() time.Time // replaced by tests

	mu       sync.Mutex
	compiled *simplelru.LRU[string, tenant[V]]
}

// tenant is a file as it was read, and what it was compiled to.
type tenant[V any] struct {
	info    os.FileInfo
	settled bool // its times say whether it has changed
	sum     [sha256.Size]byte
	value   V
}

// New returns the directory at a path. It opens nothing: the directory may come
// later. compile makes a value of the secrets of one tenant, the newest first; its
// errors must not hold a secret.
func New[V any](path string, compile func(secrets []string) (V, error)) *Dir[V] {
	compiled, _ := simplelru.NewLRU[string, tenant[V]](maxCompiled, nil) // it fails for no room
	return &Dir[V]{path: path, compile: compile, now: time.Now, compiled: compiled}
}

// Get returns the value of a tenant. The error is ErrUnknown if the directory is
// there and has no file of the name; every other one says which file gives no
// secret, and why, without a secret. The name must be a label: it is not checked
// for separators here.
func (d *Dir[V]) Get(name string) (value V, err error) {
	info, err := os.Stat(filepath.Join(d.path, name))
	if err != nil {
		d.forget(name)
		return value, d.missing(name, err)
	}
	d.mu.Lock()
	known, ok := d.compiled.Get(name)
	d.mu.Unlock()
	if ok && known.settled && unchanged(known.info, info) {
		return known.value, nil
	}
	return d.read(name, known, ok)
}

// Secrets returns the secrets of a tenant, the newest first.
func (d *Dir[V]) Secrets(name string) ([]string, error) {
	content, _, err := d.open(name)
	if err != nil {
		return nil, err
	}
	return parse(content)
}

// read reads a file that has changed, or may have.
func (d *Dir[V]) read(name string, known tenant[V], ok bool) (value V, err error) {
	began := d.now()
	content, info, err := d.open(name)
	if err != nil {
		d.forget(name)
		return value, err
	}
	t := tenant[V]{info: info, settled: began.Sub(lastChange(info)) > settled, sum: sha256.Sum256(content)}
	if ok && known.sum == t.sum {
		t.value = known.value
	} else if t.value, err = d.compileText(content); err != nil {
		d.forget(name)
		return value, fmt.Errorf("%s: %w", filepath.Join(d.path, name), err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.compiled.Add(name, t)
	return t.value, nil
}

func (d *Dir[V]) compileText(content []byte) (value V, err error) {
	secrets, err := parse(content)
	if err != nil {
		return value, err
	}
	return d.compile(secrets)
}

// forget drops what is known of a tenant.
func (d *Dir[V]) forget(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.compiled.Remove(name)
}

// open reads a whole file below the directory, and says what it was like.
func (d *Dir[V]) open(name string) (content []byte, info os.FileInfo, err error) {
	// A link can change between two looks. Root follows none that leaves the
	// directory.
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, nil, d.missing(name, err)
	}
	defer func() { _ = root.Close() }()
	// Opening a pipe would wait for its other end.
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, d.missing(name, err)
	}
	defer func() { _ = file.Close() }()
	path := filepath.Join(d.path, name)
	const attempts = 3
	for range attempts {
		if info, err = file.Stat(); err != nil {
			return nil, nil, err
		}
		switch {
		case !info.Mode().IsRegular():
			return nil, nil, fmt.Errorf("%s: this is no regular file", path)
		case info.Size() > maxFile:
			return nil, nil, fmt.Errorf("%s: the file is larger than %d bytes", path, maxFile)
		}
		content, err = io.ReadAll(io.NewSectionReader(file, 0, maxFile+1))
		if err != nil {
			return nil, nil, err
		}
		after, err := file.Stat()
		if err != nil {
			return nil, nil, err
		}
		if unchanged(info, after) && int64(len(content)) == after.Size() {
			return content, info, nil
		}
	}
	return nil, nil, fmt.Errorf("%s: the file is being written; write to another name, and rename it", path)
}

// missing tells a tenant that does not exist from a directory that is gone.
func (d *Dir[V]) missing(name string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", filepath.Join(d.path, name), withoutPath(err))
	}
	info, err := os.Stat(d.path)
	switch {
	case err != nil:
		return fmt.Errorf("the directory %s: %w", d.path, withoutPath(err))
	case !info.IsDir():
		return fmt.Errorf("%s: this is no directory", d.path)
	}
	return ErrUnknown
}

func withoutPath(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	return err
}

// unchanged reports whether a file is the same one, with the same content.
func unchanged(before, now os.FileInfo) bool {
	return os.SameFile(before, now) && before.Size() == now.Size() && before.ModTime().Equal(now.ModTime()) &&
		changeTime(before).Equal(changeTime(now))
}

// lastChange is when a file last changed, as far as it says.
func lastChange(info os.FileInfo) time.Time {
	modified, changed := info.ModTime(), changeTime(info)
	if changed.After(modified) {
		return changed
	}
	return modified
}

// parse reads the secrets of a file: one a line, the newest first.
func parse(content []byte) (secrets []string, err error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if secrets = append(secrets, line); len(secrets) > maxSecrets {
			return nil, fmt.Errorf("the file has more than %d secrets; write one a line, the newest first", maxSecrets)
		}
	}
	if len(secrets) == 0 {
		return nil, errors.New("the file has no secret; write one a line, the newest first")
	}
	return secrets, nil
}
