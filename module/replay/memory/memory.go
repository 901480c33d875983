// Package memory implements the default store, which keeps the history in the
// memory of the process.
package memory

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/hooklatch/hooklatch/module/args"
	"github.com/hooklatch/hooklatch/module/replay"
)

func init() { caddy.RegisterModule(Store{}) }

// Store keeps the history in the memory of this process. It survives a reload
// of the configuration, but neither a restart nor is it shared with other
// processes. When it is full, the delivered entry that was used least recently
// makes room; with tenants, that of the tenant that has most.
type Store struct {
	replay.Options

	// How many entries are kept. An event takes one entry, or two if the
	// provider sends an occurrence ID. Default: 100000.
	Size int `json:"size,omitempty"`

	// now is replaced by tests.
	now func() time.Time
}

const (
	defaultSize = 100_000
	maxSize     = 1 << 30 // about 160 GB
)

// CaddyModule returns the Caddy module information.
func (Store) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  replay.Namespace + ".memory",
		New: func() caddy.Module { return new(Store) },
	}
}

// Provision sets the defaults.
func (s *Store) Provision(caddy.Context) error {
	if s.Size == 0 {
		s.Size = defaultSize
	}
	if s.now == nil {
		s.now = time.Now
	}
	return nil
}

// Validate checks values that are possible in JSON but not in the Caddyfile.
func (s *Store) Validate() error {
	if s.Size < 0 || s.Size > maxSize {
		return errors.New("replay: size must be above zero and at most 1073741824; leave it out for the default")
	}
	return nil
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	replay memory {
//	    size   <entries>
//	    ttl    <duration>
//	    key    content | delivery
//	}
func (s *Store) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the store's name
	if err := args.None(d); err != nil {
		return err
	}
	return args.Block(d, func(option string) (known bool, err error) {
		if option == "size" {
			s.Size, err = args.Count(d)
			return true, err
		}
		known, err = s.UnmarshalOption(d)
		if err == nil && !known {
			err = args.Unknown(d, "size", "ttl", "key")
		}
		return known, err
	})
}

// Open shares the history of the label with the running configuration until
// this one replaces it.
func (s *Store) Open(o replay.OpenOptions) (replay.History, error) {
	shared, _ := histories.LoadOrStore(o.Label, newHistory(s.now()))
	v := &view{
		history: shared.(*history),
		label:   o.Label,
		size:    s.Size,
		ttl:     o.TTL,
		now:     s.now,
		logger:  o.Context.Logger(),
		evicted: o.Evicted,
	}
	v.history.join(v)
	return v, nil
}

// histories holds the history of every label while any configuration uses it.
// A reload starts the new configuration before it stops the old one, so a
// history whose label stays in use is never empty in between.
var histories = caddy.NewUsagePool()

// Interface guards
var (
	_ replay.Store          = (*Store)(nil)
	_ caddy.Provisioner     = (*Store)(nil)
	_ caddy.Validator       = (*Store)(nil)
	_ caddyfile.Unmarshaler = (*Store)(nil)
)
