package module

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/inbox"
)

// reentry is a stored request on its way through the routes of its site again,
// to a handler of its label. The handlers before that one run as they did the
// first time.
type reentry struct {
	label  string
	scheme string
	stored inbox.Request
	body   []byte // must not change until enter returns

	// arrive is called instead of Handler.ServeHTTP when the request has come to a
	// handler of the label. The request is the one that this handler sees.
	arrive func(h *Handler, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error

	arrived atomic.Bool
	astray  atomic.Bool            // it reached a handler of another label first
	refused atomic.Pointer[Reason] // the reason of a handler after the one where it arrived
	failed  atomic.Int32           // the status of an error that would have gone to an error route
	early   earlyBody
}

// Why a stored request reached no handler. Its delivery is not lost: it can be
// attempted again.
var (
	errNoHandler  = errors.New("the configuration has no handler of this label and scheme")
	errNotReached = errors.New("the request did not come to the handler of its label; compare the routes of the site with its host and path")
	errAstray     = fmt.Errorf("%w: it came to a handler of another label or scheme first", errNotReached)
	errPanickedBy = errors.New("a handler panicked")
)

// activeApp returns the app of the running configuration, or nil. A
// configuration that failed to start was never active, and one that is being
// stopped is no longer active.
func activeApp() *App {
	guest, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		return nil
	}
	return guest.(*App)
}

// enter sends a stored request through the routes of its site in this
// configuration, and returns when its handlers have returned. Their answer is
// dropped, but arrive sees it. enter returns an error if arrive was not called.
func (a *App) enter(ctx context.Context, e *reentry) error {
	server := a.serverOf(e)
	if server == nil {
		return errNoHandler
	}
	r, err := e.request(ctx)
	if err != nil {
		return err
	}
	reentries.Add(1)
	defer reentries.Add(-1)
	e.early.body = e.body
	defer e.early.end()
	err = a.run(server, r)
	switch {
	case e.arrived.Load():
		return nil
	case err != nil:
		return err
	case e.astray.Load():
		return errAstray
	}
	if status := e.failed.Load(); status != 0 {
		return fmt.Errorf("%w: a handler before it returned an error with status %d", errNotReached, status)
	}
	return errNotReached
}

// run calls the server as net/http does, and recovers from panics.
func (a *App) run(server *caddyhttp.Server, r *http.Request) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		err = errPanickedBy
		if p != http.ErrAbortHandler { //nolint:errorlint // it is what was panicked with
			// The value may hold a payload; its type and the stack do not.
			a.logger.Error("panic while a stored request ran again",
				zap.String("type", fmt.Sprintf("%T", p)), zap.ByteString("stack", debug.Stack()))
		}
	}()
	server.ServeHTTP(&discarded{header: http.Header{}}, r)
	return nil
}

// serverOf returns the server of a handler of the label: the one whose address
// is nearest to where the request arrived, or else the first one. It does not
// look for the server's name, because adding a site can change the name of
// another one.
func (a *App) serverOf(e *reentry) (found *caddyhttp.Server) {
	best := -1
	for _, h := range a.handlers[e.label] {
		if h.Scheme != e.scheme || h.server == nil {
			continue
		}
		near := 0
		for _, listener := range h.server.Listeners() {
			near = max(near, nearness(listener.Addr().String(), e.stored.LocalAddr))
		}
		if near > best {
			found, best = h.server, near
		}
	}
	return found
}

// nearness ranks the address that a server listens on against the address where
// a request arrived. From best to worst: the same address or socket, all
// addresses with that port, another address with that port, anything else.
func nearness(listener, arrived string) int {
	const nothing, port, everywhere, same = 0, 1, 2, 3
	host, own, err := net.SplitHostPort(listener)
	_, want, errArrived := net.SplitHostPort(arrived)
	switch {
	case listener == arrived:
		return same
	case err != nil || errArrived != nil || own != want:
		return nothing
	case host == "" || net.ParseIP(host).IsUnspecified():
		return everywhere
	}
	return port
}

// reentryKey is the context key of a reentry. No other package can set it, and
// nothing that a sender writes gets into a context.
type reentryKey struct{}

// reentries counts the stored requests in progress. Reading it costs almost
// nothing, unlike looking into a context.
var reentries atomic.Int64

// reentryOf returns the reentry of a request, or nil. A reentry is used up once
// it has arrived: later handlers verify the request that they get. So do
// handlers in error routes, which belong to no delivery.
func reentryOf(r *http.Request) *reentry {
	if reentries.Load() == 0 {
		return nil
	}
	e, _ := r.Context().Value(reentryKey{}).(*reentry)
	if e == nil || e.arrived.Load() || r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
		return nil
	}
	return e
}

// pass lets the request arrive at the first handler of its label. It ends the
// request at a handler of another label: that one has never verified the
// request, and the handlers after it trust that every request is verified.
func (e *reentry) pass(h *Handler, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.Provider != e.label || h.Scheme != e.scheme {
		e.astray.Store(true)
		w.WriteHeader(http.StatusMisdirectedRequest)
		return nil
	}
	if e.arrived.Swap(true) {
		return h.serve(w, r, next)
	}
	return e.arrive(h, w, r, next)
}

// answeredBefore returns why a later verify_webhook did not pass the request
// on. It returns an empty reason if all did.
func (e *reentry) answeredBefore() Reason {
	if reason := e.refused.Load(); reason != nil {
		return *reason
	}
	return ""
}

// noteRefusal records in the reentry of a stored request that a handler after
// the one where it arrived did not pass it on.
func noteRefusal(r *http.Request, reason Reason) {
	if reentries.Load() == 0 {
		return
	}
	if e, _ := r.Context().Value(reentryKey{}).(*reentry); e != nil {
		e.refused.Store(&reason)
	}
}

// errorRouteGuard ends stored requests before the error routes of a server. No
// sender reads the answer of these routes, and some of them ask another
// application.
type errorRouteGuard struct{}

// guardErrorRoutes puts a guard before the error routes of a server, once. It
// may do so while this handler is provisioned, because a server provisions its
// routes before its error routes.
func guardErrorRoutes(server *caddyhttp.Server) {
	if server == nil || server.Errors == nil || len(server.Errors.Routes) == 0 {
		return
	}
	routes := server.Errors.Routes
	if first := routes[0].Handlers; len(first) == 1 {
		if _, guarded := first[0].(errorRouteGuard); guarded {
			return
		}
	}
	guard := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{errorRouteGuard{}}}
	server.Errors.Routes = append(caddyhttp.RouteList{guard}, routes...)
}

// ServeHTTP lets other requests through to the error routes.
func (errorRouteGuard) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if reentries.Load() == 0 {
		return next.ServeHTTP(w, r)
	}
	e, _ := r.Context().Value(reentryKey{}).(*reentry)
	if e == nil {
		return next.ServeHTTP(w, r)
	}
	status := http.StatusInternalServerError
	var failed caddyhttp.HandlerError
	if err, _ := r.Context().Value(caddyhttp.ErrorCtxKey).(error); errors.As(err, &failed) && failed.StatusCode != 0 {
		status = failed.StatusCode
	}
	e.failed.Store(int32(status))
	w.WriteHeader(status)
	return nil
}

// storedRequest returns a request in the form in which it is stored. The
// handlers after this one must not have changed its headers yet.
func storedRequest(r *http.Request) inbox.Request {
	sent := originalRequest(r)
	stored := inbox.Request{
		Method: sent.Method, URI: sent.RequestURI, Host: r.Host, Proto: r.Proto,
		Header: r.Header.Clone(), RemoteAddr: sent.RemoteAddr,
	}
	if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		stored.LocalNetwork, stored.LocalAddr = addr.Network(), addr.String()
	}
	if r.TLS == nil {
		return stored
	}
	stored.TLS = &inbox.TLS{
		Version: r.TLS.Version, CipherSuite: r.TLS.CipherSuite,
		ServerName: r.TLS.ServerName, Protocol: r.TLS.NegotiatedProtocol,
	}
	for _, certificate := range r.TLS.PeerCertificates {
		stored.TLS.Certificates = append(stored.TLS.Certificates, certificate.Raw)
	}
	return stored
}

// request recreates the request as a server would have read it.
func (e *reentry) request(ctx context.Context) (*http.Request, error) {
	uri, err := url.ParseRequestURI(e.stored.URI)
	if err != nil {
		return nil, fmt.Errorf("reading the URI of a stored request: %w", err)
	}
	state, err := connectionState(e.stored.TLS)
	if err != nil {
		return nil, err
	}
	major, minor, ok := http.ParseHTTPVersion(e.stored.Proto)
	if !ok {
		return nil, errors.New("reading the protocol of a stored request: it is not HTTP's")
	}
	ctx = context.WithValue(ctx, reentryKey{}, e)
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, net.Addr(localAddr{e.stored.LocalNetwork, e.stored.LocalAddr}))
	header := e.stored.Header.Clone()
	header["Content-Length"] = []string{strconv.Itoa(len(e.body))} // of the body as stored, however it was sent
	r := &http.Request{
		Method: e.stored.Method, URL: uri, RequestURI: e.stored.URI, Host: e.stored.Host,
		Proto: e.stored.Proto, ProtoMajor: major, ProtoMinor: minor,
		Header: header, RemoteAddr: e.stored.RemoteAddr, TLS: state,
		Body: http.NoBody, ContentLength: int64(len(e.body)),
	}
	if len(e.body) > 0 {
		r.Body = &e.early
	}
	return r.WithContext(ctx), nil
}

// localAddr is an address as it was stored.
type localAddr struct{ network, text string }

// Network returns the network, such as tcp.
func (a localAddr) Network() string { return a.network }

// String returns the address.
func (a localAddr) String() string { return a.text }

// connectionState recreates the state of a TLS connection.
func connectionState(stored *inbox.TLS) (*tls.ConnectionState, error) {
	if stored == nil {
		return nil, nil
	}
	state := &tls.ConnectionState{
		Version: stored.Version, HandshakeComplete: true, CipherSuite: stored.CipherSuite,
		ServerName: stored.ServerName, NegotiatedProtocol: stored.Protocol,
	}
	for _, der := range stored.Certificates {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate of a stored request: %w", err)
		}
		state.PeerCertificates = append(state.PeerCertificates, certificate)
	}
	return state, nil
}

// earlyBody is the body for handlers before verify_webhook. Few handlers read
// it, so it is copied on the first read. The copy is needed because a transport
// may still read after the request has ended, when the memory of the body
// belongs to another delivery.
type earlyBody struct {
	mu   sync.Mutex
	body []byte // the stored one; after the first read, the rest of the copy
	read bool
	over bool
}

// Read reads from the copy.
func (b *earlyBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.read && b.over:
		return 0, io.ErrClosedPipe
	case !b.read:
		b.body, b.read = bytes.Clone(b.body), true
	}
	if len(b.body) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.body)
	b.body = b.body[n:]
	return n, nil
}

// Close does nothing.
func (b *earlyBody) Close() error { return nil }

func (b *earlyBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

// mostDiscarded is the most, in bytes, that is accepted of a discarded answer.
// An attempt that writes more ends there, because it occupies a place.
const mostDiscarded = 64 << 10

var errEnoughRead = errors.New("nobody reads more of this answer")

// discarded is the response writer of a stored request.
type discarded struct {
	header http.Header
	size   int
}

// Header returns the headers of the answer.
func (d *discarded) Header() http.Header { return d.header }

// WriteHeader drops the status.
func (d *discarded) WriteHeader(int) {}

// Write drops the body.
func (d *discarded) Write(p []byte) (int, error) {
	if d.size += len(p); d.size > mostDiscarded {
		return 0, errEnoughRead
	}
	return len(p), nil
}

// Flush does nothing.
func (d *discarded) Flush() {}

// SetReadDeadline does nothing and returns no error, as the methods below:
// there is no connection that could hang.
func (d *discarded) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (d *discarded) SetWriteDeadline(time.Time) error { return nil }

// EnableFullDuplex does nothing.
func (d *discarded) EnableFullDuplex() error { return nil }

// Interface guards
var (
	_ caddyhttp.MiddlewareHandler = errorRouteGuard{}
	_ http.Flusher                = (*discarded)(nil)
	_ io.ReadCloser               = (*earlyBody)(nil)
	_ net.Addr                    = localAddr{}
)
