// Package none implements the store for `replay off`.
package none

import (
	"context"

	"github.com/caddyserver/caddy/v2"

	"github.com/hooklatch/hooklatch/module/replay"
)

func init() { caddy.RegisterModule(Store{}) }

// Store remembers nothing: every delivery whose signature and time are valid is
// forwarded, however often it arrives.
type Store struct{}

// CaddyModule returns the Caddy module information.
func (Store) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  replay.Namespace + ".none",
		New: func() caddy.Module { return new(Store) },
	}
}

// Settings returns the defaults; there is nothing to set.
func (Store) Settings() replay.Options { return replay.Options{} }

// WeakerChoices names the store itself.
func (Store) WeakerChoices() []string { return []string{"replay off"} }

// Open never fails.
func (s Store) Open(replay.OpenOptions) (replay.History, error) { return history{}, nil }

type history struct{}

func (history) Reserve(context.Context, replay.Event) (replay.Reservation, replay.Status, error) {
	return reservation{}, replay.Reserved, nil
}

func (history) Forget(context.Context, replay.Key) (replay.Status, error) {
	return replay.Unknown, nil
}

// AnswersAtOnce declares that no method waits.
func (history) AnswersAtOnce() {}

func (history) Close() error { return nil }

type reservation struct{}

func (reservation) Deliver(context.Context) error { return nil }
func (reservation) Release(context.Context) error { return nil }

// Interface guards
var (
	_ replay.Store           = (*Store)(nil)
	_ replay.InsecureOptions = (*Store)(nil)
	_ replay.History         = history{}
	_ replay.Immediate       = history{}
	_ replay.Reservation     = reservation{}
)
