package module

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

// Ending is what a process that begins to end still has.
type Ending struct {
	Handled int // requests that are being handled, for which it waits
	Kept    int // deliveries that wait in inboxes
}

// endObserver is told when the process begins to end.
var endObserver atomic.Pointer[func(Ending)]

// ObserveEnd has a function called when the process begins to end, in place of the
// one before. Nothing has ended yet, and all waits until the function returns. It
// counts for configurations that are loaded afterwards.
func ObserveEnd(observer func(Ending)) { endObserver.Store(&observer) }

// observeEnd has the observer told of the end, if there is one.
func (a *App) observeEnd() error {
	if endObserver.Load() == nil {
		return nil
	}
	app, err := a.ctx.App("events")
	if err != nil {
		return fmt.Errorf("loading the events app: %w", err)
	}
	return app.(*caddyevents.App).On("stopping", endHandler{a})
}

// endHandler handles the event that Caddy emits before it stops a configuration.
type endHandler struct{ app *App }

// Handle tells the observer, unless another configuration takes over.
func (h endHandler) Handle(context.Context, caddy.Event) error {
	if caddy.Exiting() {
		(*endObserver.Load())(h.app.ending())
	}
	return nil
}

// ending counts what there is.
func (a *App) ending() (e Ending) {
	for _, shared := range a.histories {
		shared.mu.Lock()
		e.Handled += shared.users
		shared.mu.Unlock()
	}
	for _, b := range series.inboxes.open.all() {
		e.Kept += b.opened.Counts().Waiting
	}
	return e
}

// Interface guards
var _ caddyevents.Handler = endHandler{}
