package module

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() { caddy.RegisterModule(Unverified{}) }

// Unverified makes sure that a request that was not verified cannot look as if
// it was.
//
// It removes every header whose name begins with `Webhook-`, in any spelling,
// also among the trailers. Where a verify_webhook of the configuration has `emit
// cloudevents`, it removes those with `Ce-` too. It also removes the headers `X-Original-URL` and `X-Rewrite-URL`,
// with which some applications replace the path. It passes no `Upgrade` on but
// `websocket`, because a tunnel could reach any path of the application. Put it
// before the handler of the requests that are no deliveries:
//
//	@webhook webhook_path /webhook
//	route @webhook {
//		verify_webhook stripe {env.STRIPE_SECRET}
//		reverse_proxy 127.0.0.1:3000
//	}
//	route {
//		unverified
//		reverse_proxy 127.0.0.1:3000
//	}
type Unverified struct {
	app *App
}

// CaddyModule returns the Caddy module information.
func (Unverified) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.unverified",
		New: func() caddy.Module { return new(Unverified) },
	}
}

// Provision finds what the handlers of the configuration share.
func (u *Unverified) Provision(ctx caddy.Context) error {
	guest, err := ctx.App(appName)
	if err != nil {
		return err
	}
	u.app = guest.(*App)
	return nil
}

// UnverifiedRequest is a request that was no delivery, and its answer.
type UnverifiedRequest struct {
	Time         time.Time
	Method, Path string // the path as it was sent, without the query
	Status       int    // 0 if none was written
	Duration     time.Duration
}

// unverifiedObserver is called for each request that Unverified has handled.
var unverifiedObserver atomic.Pointer[func(UnverifiedRequest)]

// ObserveUnverified sets the function that is called for each request that the
// handler unverified has handled. It replaces the previous one. It must not
// block.
func ObserveUnverified(observer func(UnverifiedRequest)) { unverifiedObserver.Store(&observer) }

// ServeHTTP removes the headers and calls the next handlers.
func (u *Unverified) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	headerOptions{cloudEvents: u.app.emitsCloudEvents}.removeVerdicts(r)
	observer := unverifiedObserver.Load()
	if observer == nil {
		return next.ServeHTTP(w, r)
	}
	seen := UnverifiedRequest{Time: time.Now(), Method: r.Method}
	seen.Path, _, _ = strings.Cut(r.RequestURI, "?")
	recorder := caddyhttp.NewResponseRecorder(w, nil, nil)
	err := next.ServeHTTP(recorder, r)
	seen.Status, seen.Duration = recorder.Status(), time.Since(seen.Time)
	(*observer)(seen)
	return err
}

// removeVerdicts removes headers that only this module may write, and headers
// that make an application serve another path than the request's.
func (o headerOptions) removeVerdicts(r *http.Request) {
	o.removeOurs(r.Header)
	delete(r.Header, "X-Original-Url")
	delete(r.Header, "X-Rewrite-Url")
	if upgrade := r.Header["Upgrade"]; len(upgrade) != 1 || !strings.EqualFold(strings.TrimSpace(upgrade[0]), "websocket") {
		delete(r.Header, "Upgrade")
	}
	delete(r.Header, "Http2-Settings")
	if r.Header.Get(":protocol") != "websocket" {
		delete(r.Header, ":protocol")
	}
	o.removeVerdictTrailers(r)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &trailerBody{r.Body, r, o}
	}
}

// removeVerdictTrailers removes the trailers that only this module may write.
// It also removes the announcement of trailers, because a proxy makes its own
// from the map.
func (o headerOptions) removeVerdictTrailers(r *http.Request) {
	o.removeOurs(r.Trailer)
	delete(r.Header, "Trailer")
}

// trailerBody removes trailers when they arrive, at the end of the body.
type trailerBody struct {
	io.ReadCloser
	request *http.Request
	ours    headerOptions
}

// Read reads from the body.
func (b *trailerBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.ours.removeVerdictTrailers(b.request)
	}
	return n, err
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Unverified)(nil)
	_ caddyhttp.MiddlewareHandler = (*Unverified)(nil)
)
