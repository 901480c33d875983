package module

import (
	"errors"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module/inspector"
)

func init() { caddy.RegisterModule(Inspector{}) }

// AccessRoute is the value of Inspector.Access that leaves access control to
// the route.
const AccessRoute = "route"

// Inspector serves a page that shows which webhook deliveries arrived, which
// were rejected, why, and what to change. It shows the deliveries of this
// process.
//
// It serves requests for which `{http.auth.user.id}` is set, as `basic_auth`
// and other authentication handlers do, and answers 403 to all others. It does
// not trust requests from this machine, because a proxy on this machine may
// have passed them on.
//
// Write it with a path that ends in a slash, such as `/inspect/`.
type Inspector struct {
	// Who may see the page. `route` leaves the decision to the handlers before
	// this one, for authentication that sets no user, such as `forward_auth` or
	// client certificates: anyone who gets past them sees everything and may press
	// every button. Default: requests with an authenticated user.
	Access string `json:"access,omitempty"`

	page inspector.Page
}

// CaddyModule returns the Caddy module information.
func (Inspector) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.webhook_inspector",
		New: func() caddy.Module { return new(Inspector) },
	}
}

// Provision sets up the page.
func (h *Inspector) Provision(ctx caddy.Context) error {
	guest, err := ctx.App(appName)
	if err != nil {
		return err
	}
	if h.Access == AccessRoute {
		guest.(*App).NameWeaker("webhook_inspector access route")
	}
	closing := make(chan struct{})
	h.page = inspector.Page{Gateway: Admin(ctx.Logger()), Name: "this gateway", Closing: closing}
	// A server that shuts down waits for its requests.
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		server.RegisterOnShutdown(sync.OnceFunc(func() { close(closing) }))
	}
	return nil
}

// Validate checks the options.
func (h *Inspector) Validate() error {
	if h.Access != "" && h.Access != AccessRoute {
		return errors.New("access: write route, or leave it out")
	}
	return nil
}

// ServeHTTP serves the page to those who may see it.
func (h *Inspector) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if h.Access != AccessRoute && !isByUser(r) {
		inspector.Forbid(w, "Nobody is authenticated here. Write basic_auth before webhook_inspector; or, if the handlers before it decide without naming a user, access route in its block.")
		return nil
	}
	h.page.ServeHTTP(w, r)
	return nil
}

// isByUser reports whether a handler before this one has authenticated a user.
func isByUser(r *http.Request) bool {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return false
	}
	user, ok := repl.GetString("http.auth.user.id")
	return ok && user != ""
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Inspector)(nil)
	_ caddy.Validator             = (*Inspector)(nil)
	_ caddyhttp.MiddlewareHandler = (*Inspector)(nil)
)
