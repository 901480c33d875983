// Package file implements the store that keeps the history in a file, so that
// it outlives the process.
package file

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hooklatch/hooklatch/module/args"
	"github.com/hooklatch/hooklatch/module/internal/boltfile"
	"github.com/hooklatch/hooklatch/module/replay"
)

func init() { caddy.RegisterModule(Store{}) }

// Store keeps the history in a file on this machine. It survives restarts,
// upgrades and the sudden end of the process: a delivery is on the disk before
// its sender reads the answer. Only one process can have the file open.
//
// The configuration fails to start if the file is open elsewhere, is damaged or
// cannot be written. If writing fails later, new deliveries are rejected with
// 503 until it works again. Deliveries that were forwarded before that are
// remembered, and are written first.
type Store struct {
	replay.Options

	// The file. It is created if it does not exist; its folder must exist. Several
	// labels may share a file. A relative path begins at the working directory
	// of the process. Placeholders such as {env.STATE_DIRECTORY} are replaced
	// when the configuration loads.
	Path string `json:"path"`

	// path is Path without placeholders.
	path string

	// now is replaced by tests.
	now func() time.Time
}

// CaddyModule returns the Caddy module information.
func (Store) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  replay.Namespace + ".file",
		New: func() caddy.Module { return new(Store) },
	}
}

// Provision resolves the path. It touches no file: `caddy validate` provisions
// too, and the running process has the file locked.
func (s *Store) Provision(caddy.Context) error {
	if s.now == nil {
		s.now = time.Now
	}
	if s.Path == "" {
		return errors.New("replay file: no path; write replay file <path>")
	}
	var err error
	if s.path, err = caddy.NewReplacer().ReplaceOrErr(s.Path, true, true); err != nil {
		return fmt.Errorf("replay file: resolving the path: %w", err)
	}
	return nil
}

// Place returns the path of the file, so that nothing else uses the same one.
func (s *Store) Place() string {
	if resolved, err := boltfile.Resolve(s.path); err == nil {
		return resolved
	}
	return s.path // Open returns the error
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	replay file <path> {
//	    ttl    <duration>
//	    key    content | delivery
//	}
func (s *Store) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	d.Next() // the store's name
	if s.Path, err = args.One(d, "<path>"); err != nil {
		return err
	}
	if s.Path == "" {
		return d.Err("file: the path is empty; write replay file <path>")
	}
	return args.Block(d, func(string) (known bool, err error) {
		known, err = s.UnmarshalOption(d)
		if err == nil && !known {
			err = args.Unknown(d, "ttl", "key")
		}
		return known, err
	})
}

// Open shares the open file with the other labels in it and with the running
// configuration until this one replaces it.
func (s *Store) Open(o replay.OpenOptions) (replay.History, error) {
	path, err := boltfile.Resolve(s.path)
	if err != nil {
		return nil, err
	}
	shared, _, err := boltfile.Files.LoadOrNew(path, func() (caddy.Destructor, error) { return open(path, s.now) })
	if err != nil {
		return nil, err
	}
	db, ours := shared.(*database)
	if !ours {
		_, _ = boltfile.Files.Delete(path)
		return nil, fmt.Errorf("%s is the file of something else in this configuration; write another path", path)
	}
	h, err := db.history(o.Context, o.Label)
	if err != nil {
		_, _ = boltfile.Files.Delete(path)
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &view{history: h, path: path, ttl: o.TTL}, nil
}

// Interface guards
var (
	_ replay.Store          = (*Store)(nil)
	_ caddy.Provisioner     = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
