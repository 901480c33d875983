// Package file implements the store that keeps an inbox in a file.
package file

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hooklatch/hooklatch/module/args"
	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/boltfile"
)

func init() { caddy.RegisterModule(Store{}) }

// Store keeps the inbox in a file on this machine, and bodies above 64 KiB in
// files of their own in a folder next to it, whose name ends in `.bodies`. A
// kept delivery is on the disk before its sender reads the answer. It survives
// restarts, upgrades, the sudden end of the process, and a power cut if the
// disk stores what it has confirmed. Only one process can have the file open.
//
// The configuration fails to start if the file is open elsewhere, is damaged or
// cannot be written. If the disk is full later, no more deliveries are kept, as
// if there were no inbox. Those already kept are delivered and removed as
// before.
type Store struct {
	inbox.Options

	// The file. It is created if it does not exist; its folder must exist. Several
	// labels may share a file. A relative path begins at the working directory
	// of the process. Placeholders such as {env.STATE_DIRECTORY} are replaced
	// when the configuration loads.
	Path string `json:"path"`

	// path is Path without placeholders. It is resolved if its folder exists.
	path string

	// source is replaced by tests.
	source timeSource
}

// CaddyModule returns the Caddy module information.
func (Store) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  inbox.Namespace + ".file",
		New: func() caddy.Module { return new(Store) },
	}
}

// Provision resolves the path. It touches no file: `caddy validate` provisions
// too, and the running process has the file locked.
func (s *Store) Provision(caddy.Context) error {
	if s.source.now == nil {
		s.source = machineTime()
	}
	if s.Path == "" {
		return errors.New("inbox file: no path; write inbox file <path>")
	}
	path, err := caddy.NewReplacer().ReplaceOrErr(s.Path, true, true)
	if err != nil {
		return fmt.Errorf("inbox file: resolving the path: %w", err)
	}
	s.path = path
	if resolved, err := boltfile.Resolve(path); err == nil { // Open returns the error
		s.path = resolved
	}
	return nil
}

// Place returns the path of the file.
func (s *Store) Place() string { return s.path }

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	inbox file <path> {
//	    mode        rescue | always
//	    after       <duration>
//	    statuses    <code or class...>
//	    retry       <first> <most>
//	    keep        <duration>
//	    dead        <duration>
//	    max_size    <size>
//	    concurrency <n>
//	}
func (s *Store) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	d.Next() // the store's name
	if s.Path, err = args.One(d, "<path>"); err != nil {
		return err
	}
	if s.Path == "" {
		return d.Err("file: the path is empty; write inbox file <path>")
	}
	return args.Block(d, func(string) (known bool, err error) {
		known, err = s.UnmarshalOption(d)
		if err == nil && !known {
			err = args.Unknown(d, inbox.Names...)
		}
		return known, err
	})
}

// Open shares the open file with the other owners in it and with the running
// configuration until this one replaces it.
func (s *Store) Open(o inbox.OpenOptions) (inbox.Inbox, error) {
	path, err := boltfile.Resolve(s.path)
	if err != nil {
		return nil, err
	}
	shared, _, err := boltfile.Files.LoadOrNew(path, func() (caddy.Destructor, error) { return open(path, s.source) })
	if err != nil {
		return nil, inboxError(err)
	}
	b, ours := shared.(*box)
	if !ours {
		_, _ = boltfile.Files.Delete(path)
		return nil, fmt.Errorf("%s is the file of a replay history; write another path for the inbox", path)
	}
	return &view{
		drawer:  b.drawer(o.Owner),
		maxSize: s.WithDefaults().MaxSize,
		failed:  o.Failed,
	}, nil
}

// inboxError turns an error of opening a file into one of the known errors.
func inboxError(err error) error {
	switch {
	case errors.Is(err, boltfile.ErrInUse):
		return known{inbox.ErrInUse, err}
	case boltfile.IsDamage(err), boltfile.IsForeign(err):
		return known{inbox.ErrDamaged, err}
	case boltfile.IsFull(err):
		return known{inbox.ErrFull, err}
	}
	return err
}

// known is an error with its own text that also wraps a known kind.
type known struct{ kind, reason error }

func (k known) Error() string { return k.reason.Error() }

func (k known) Unwrap() []error { return []error{k.kind, k.reason} }

// Interface guards
var (
	_ inbox.Store           = (*Store)(nil)
	_ caddy.Provisioner     = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
