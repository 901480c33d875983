package module

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/dustin/go-humanize"
	"go.uber.org/zap"
)

const caddyModule = "github.com/caddyserver/caddy/v2"

// mixingVersions are the versions of Caddy whose reverse_proxy returns the
// buffer of a partly buffered body to its pool while another attempt still
// reads from it, so that one request's bytes go out in another.
// docs/caddy-buffer-fault.md explains it, and a test fails once the linked
// Caddy no longer has the fault.
var mixingVersions = []string{"v2.11.4", "v2.11.5", "v2.11.6", "v2.11.7", "v2.11.8", "v2.11.9"}

// linkedCaddy returns the version of Caddy that this program is built with,
// and whether it mixes bodies. A replaced Caddy is one that the operator
// chose, most likely for its fix. An unknown version has to be treated as a bad
// one, and so has a commit after the last bad release.
func linkedCaddy() (version string, mixes bool) {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "of an unknown version", true
	}
	return caddyIn(build)
}

func caddyIn(build *debug.BuildInfo) (version string, mixes bool) {
	for _, module := range append(build.Deps, &build.Main) {
		switch {
		case module.Path != caddyModule:
		case module.Replace != nil:
			return module.Version, false
		default:
			unknown := module.Version == "" || module.Version == "(devel)" || strings.HasPrefix(module.Version, "v2.11.10-")
			return module.Version, unknown || slices.Contains(mixingVersions, module.Version)
		}
	}
	return "of an unknown version", true
}

// checkProxies checks every reverse_proxy of the configuration. It returns an
// error for each one that could not send a delivery whole, and warns of those
// that can corrupt the buffers of others.
//
// It runs when the apps start: while handlers are provisioned, the routes
// after them do not exist yet.
func (a *App) checkProxies() error {
	// Without an http app there is no handler, and so nothing to check.
	loaded, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	return a.judgeProxies(findProxies(loaded.(*caddyhttp.App)))
}

func (a *App) judgeProxies(proxies []*proxy) error {
	var refused []error
	for _, p := range proxies {
		if err := p.checkRetries(); err != nil {
			refused = append(refused, err)
		}
	}
	version, mixes := linkedCaddy()
	if !mixes {
		return errors.Join(refused...)
	}
	reader := slices.IndexFunc(proxies, (*proxy).buffersDeliveries)
	for _, p := range proxies {
		switch {
		case !p.mixesBodies():
		case reader >= 0:
			refused = append(refused, fmt.Errorf("%s buffers bodies and tries requests again, and %s buffers deliveries: in Caddy %s the bytes of one request can then be sent in another, so that a forged body would arrive as an accepted delivery; take request_buffers, or lb_try_duration and lb_retries, out of the first one",
				p, proxies[reader], version))
		default:
			a.logger.Warn("a reverse_proxy with request_buffers and retries can send the bytes of one request in another; take request_buffers, or lb_try_duration and lb_retries, out of it",
				zap.String("proxy", p.String()), zap.String("caddy", version))
		}
	}
	return errors.Join(refused...)
}

// proxy is a reverse_proxy with the ways in which requests reach it.
type proxy struct {
	*reverseproxy.Handler
	place      string
	deliveries []*passage
	unverified bool // some requests come without passing verify_webhook
}

// passage describes the requests that a verify_webhook handler lets through.
type passage struct {
	largest int64 // body; MaxInt64 if there is no limit, as with observe
	methods []string
	paths   []caddyhttp.MatchPath // each of them matched the request's path
	// elsewhere is the same passage once the path may have changed.
	elsewhere *passage
}

func (p *proxy) String() string {
	upstreams := make([]string, 0, len(p.Upstreams))
	for _, u := range p.Upstreams {
		upstreams = append(upstreams, u.Dial)
	}
	if len(upstreams) == 0 {
		upstreams = []string{"dynamic upstreams"}
	}
	return fmt.Sprintf("the reverse_proxy to %s (%s)", strings.Join(upstreams, " "), p.place)
}

// checkRetries returns an error if p would try a delivery again without being
// able to send its body again. Caddy sends a body again if it is buffered
// whole, and Hooklatch's own can be read again unless the proxy has taken the
// beginning of it. (FastCGI buffers 4 KiB by default.)
func (p *proxy) checkRetries() error {
	for _, d := range p.deliveries {
		// A body of exactly this length counts as one that may continue.
		if p.RequestBuffers < 1 || p.RequestBuffers > d.largest || !p.retries(d.methods) {
			continue
		}
		cure := "take lb_retry_match out (lb_try_duration alone waits for an upstream that refuses connections)"
		if p.LoadBalancing.RetryMatch == nil {
			cure = "take lb_try_duration and lb_retries out"
		}
		if d.largest < math.MaxInt64 {
			cure += fmt.Sprintf(", or write request_buffers above max_body, which is %s", humanize.IBytes(uint64(d.largest)))
		}
		if !p.isFastCGI() {
			cure += ", or take request_buffers out (verify_webhook holds the body)"
		}
		return fmt.Errorf("%s comes after verify_webhook and tries %s again, but buffers only %s of the body, so another attempt would not send all of it; %s",
			p, strings.Join(d.methods, " or "), humanize.IBytes(uint64(p.RequestBuffers)), cure)
	}
	return nil
}

// retries reports whether p may send a request with one of methods, or with
// any method if there are none, again after it was sent in part.
func (p *proxy) retries(methods []string) bool {
	lb := p.LoadBalancing
	if lb == nil || lb.TryDuration == 0 && lb.Retries == 0 {
		return false
	}
	if lb.RetryMatch == nil {
		return methods == nil || slices.Contains(methods, "GET") // which may have a body
	}
	return methods == nil || slices.ContainsFunc(lb.RetryMatch, func(set caddyhttp.MatcherSet) bool {
		return !slices.ContainsFunc(set, func(matcher any) bool {
			m, ok := matcher.(*caddyhttp.MatchMethod)
			return ok && !slices.ContainsFunc(*m, func(method string) bool { return slices.Contains(methods, method) })
		})
	})
}

// mixesBodies reports whether requests from anyone can make p corrupt the
// buffers that all proxies of the process share. The size of the buffer does
// not matter, because the rest of a malformed body cannot be buffered. FastCGI
// is safe: it never closes a body, and the closing causes the fault.
func (p *proxy) mixesBodies() bool {
	open := p.unverified || slices.ContainsFunc(p.deliveries, func(d *passage) bool { return d.largest == math.MaxInt64 })
	return open && p.RequestBuffers != 0 && !p.isFastCGI() && p.retries(nil)
}

// buffersDeliveries reports whether p sends deliveries from a shared buffer.
func (p *proxy) buffersDeliveries() bool { return len(p.deliveries) > 0 && p.RequestBuffers != 0 }

func (p *proxy) isFastCGI() bool {
	t, ok := p.Transport.(caddy.Module)
	return ok && t.CaddyModule().ID == "http.reverse_proxy.transport.fastcgi"
}

// proxyWalk follows the routes of one server in the order in which requests
// take them.
type proxyWalk struct {
	server  *caddyhttp.Server
	proxies []*proxy
	// around are the paths that the enclosing routes matched.
	around  []caddyhttp.MatchPath
	invoked []string
}

// way is how a request may have reached a handler: whether through a
// verify_webhook handler, and through a route of which group.
type way struct {
	passed *passage
	group  string
}

// ways are all the ways to a handler.
type ways map[way]bool

// findProxies returns every reverse_proxy that requests can reach.
func findProxies(app *caddyhttp.App) []*proxy {
	var found []*proxy
	for _, name := range slices.Sorted(maps.Keys(app.Servers)) {
		w := proxyWalk{server: app.Servers[name]}
		w.routes(w.server.Routes, ways{{}: true}, "server "+name)
		if w.server.Errors != nil {
			// A request that was verified has no body here any more.
			w.routes(w.server.Errors.Routes, ways{{}: true}, "errors of server "+name)
		}
		found = append(found, w.proxies...)
	}
	return found
}

// routes follows a list of routes and returns the ways that lead beyond it. It
// compares a route's group only with the previous one, because Caddy's adapters
// write the routes of a group one after the other.
func (w *proxyWalk) routes(list caddyhttp.RouteList, in ways, place string) ways {
	for i, route := range list {
		entered, beyond := ways{}, ways{}
		for from := range in {
			may, must := true, len(route.MatcherSets) == 0
			if route.Group != "" && route.Group == from.group {
				may = false
			} else if from.passed != nil && !must {
				may, must = from.passed.meets(route.MatcherSets)
			}
			if may {
				entered[from] = true
			}
			if !may || !must {
				beyond[from] = true
			}
		}
		if len(entered) > 0 {
			paths := pathsOf(route.MatcherSets)
			w.around = append(w.around, paths)
			at := fmt.Sprintf("%s, route %d", place, i)
			if len(paths) > 0 {
				at += " " + strings.Join(paths, " ")
			}
			left := w.handlers(route.Handlers, entered, at)
			w.around = w.around[:len(w.around)-1]
			if !route.Terminal {
				for to := range left {
					if route.Group != "" {
						to.group = route.Group
					}
					beyond[to] = true
				}
			}
		}
		in = beyond
	}
	return in
}

func (w *proxyWalk) handlers(list []caddyhttp.MiddlewareHandler, in ways, place string) ways {
	for _, handler := range list {
		in = w.handler(handler, in, place)
	}
	return in
}

// handler returns the ways that lead beyond one handler. Groups inside a list
// of routes do not affect the groups outside, so inner lists begin with the
// same ways.
func (w *proxyWalk) handler(handler caddyhttp.MiddlewareHandler, in ways, place string) ways {
	switch h := handler.(type) {
	case *Handler:
		return w.verified(h, in)
	case *reverseproxy.Handler:
		w.add(h, in, place)
		// Only the routes of handle_response pass requests on.
		return w.responses(h.HandleResponse, in, place)
	case *intercept.Intercept:
		w.responses(h.HandleResponse, in, place)
		return in
	case *caddyhttp.Subroute:
		out := w.routes(h.Routes, in, place)
		if h.Errors != nil {
			out = union(out, w.routes(h.Errors.Routes, in, place+", errors"))
		}
		return out
	case *caddyhttp.Invoke:
		route, known := w.server.NamedRoutes[h.Name]
		if !known || slices.Contains(w.invoked, h.Name) {
			return ways{}
		}
		w.invoked = append(w.invoked, h.Name)
		out := w.routes(caddyhttp.RouteList{*route}, in, place+", invoke "+h.Name)
		w.invoked = w.invoked[:len(w.invoked)-1]
		return out
	case *caddyhttp.StaticResponse, *caddyhttp.StaticError:
		return ways{} // they end the request
	}
	if keepsPath(handler) {
		return in
	}
	return w.elsewhere(in)
}

func (w *proxyWalk) responses(list []caddyhttp.ResponseHandler, in ways, place string) ways {
	out := ways{}
	for _, response := range list {
		out = union(out, w.routes(response.Routes, in, place+", handle_response"))
	}
	return out
}

// verified combines all ways that lead to a verify_webhook handler into one
// passage.
func (w *proxyWalk) verified(h *Handler, in ways) ways {
	p := &passage{largest: h.MaxBody, methods: h.Methods}
	if h.Observe {
		p.largest = 0
		for from := range in {
			if from.passed == nil {
				p.largest = math.MaxInt64
			} else {
				p.largest = max(p.largest, from.passed.largest)
			}
		}
	}
	for _, paths := range w.around {
		if len(paths) > 0 {
			p.paths = append(p.paths, paths)
		}
	}
	out := ways{}
	for from := range in {
		out[way{p, from.group}] = true
	}
	return out
}

// elsewhere discards what is known about the path.
func (w *proxyWalk) elsewhere(in ways) ways {
	clear(w.around)
	out := ways{}
	for from := range in {
		if p := from.passed; p != nil && len(p.paths) > 0 {
			if p.elsewhere == nil {
				p.elsewhere = &passage{largest: p.largest, methods: p.methods}
			}
			from.passed = p.elsewhere
		}
		out[from] = true
	}
	return out
}

func (w *proxyWalk) add(h *reverseproxy.Handler, in ways, place string) {
	i := slices.IndexFunc(w.proxies, func(p *proxy) bool { return p.Handler == h })
	if i < 0 {
		i = len(w.proxies)
		w.proxies = append(w.proxies, &proxy{Handler: h, place: place})
	}
	p := w.proxies[i]
	for from := range in {
		switch {
		case from.passed == nil:
			p.unverified = true
		case !slices.Contains(p.deliveries, from.passed):
			p.deliveries = append(p.deliveries, from.passed)
		}
	}
	slices.SortFunc(p.deliveries, func(a, b *passage) int { return cmp.Compare(b.largest, a.largest) })
}

func union(a, b ways) ways {
	maps.Copy(a, b)
	return a
}

// keepsPath reports whether a handler is known to leave the path unchanged.
func keepsPath(handler caddyhttp.MiddlewareHandler) bool {
	m, ok := handler.(caddy.Module)
	return ok && slices.Contains([]caddy.ModuleID{
		"http.handlers.authentication", "http.handlers.encode", "http.handlers.headers", "http.handlers.log_append",
		"http.handlers.request_body", "http.handlers.tracing", "http.handlers.vars",
	}, m.CaddyModule().ID)
}

// meets reports whether the requests of the passage may match one of sets, and
// whether they must.
func (p *passage) meets(sets caddyhttp.MatcherSets) (may, must bool) {
	for _, set := range sets {
		excluded := false
		for _, matcher := range set {
			paths, ok := matcher.(*caddyhttp.MatchPath)
			if !ok {
				continue
			}
			for _, known := range p.paths {
				excluded = excluded || disjoint(known, *paths)
				must = must || len(set) == 1 && slices.Equal(known, *paths)
			}
		}
		may = may || !excluded
	}
	return may, must
}

// pathsOf returns paths of which at least one matches every request that sets
// match. It returns none if the sets can match other paths too.
func pathsOf(sets caddyhttp.MatcherSets) (paths caddyhttp.MatchPath) {
	for _, set := range sets {
		i := slices.IndexFunc(set, func(matcher any) bool { _, ok := matcher.(*caddyhttp.MatchPath); return ok })
		if i < 0 {
			return nil
		}
		paths = append(paths, *set[i].(*caddyhttp.MatchPath)...)
	}
	return paths
}

// disjoint reports whether no path matches both a and b.
func disjoint(a, b caddyhttp.MatchPath) bool {
	for _, one := range a {
		for _, other := range b {
			if overlap(one, other) {
				return false
			}
		}
	}
	return true
}

// overlap reports whether a path may match both patterns. It compares only
// whole paths and prefixes; for any other pattern it returns true.
func overlap(a, b string) bool {
	a, aOpen := strings.CutSuffix(a, "*")
	b, bOpen := strings.CutSuffix(b, "*")
	if strings.ContainsAny(a+b, `*?[\{%`) || strings.Contains(a, "//") || strings.Contains(b, "//") {
		return true
	}
	return a == b || aOpen && strings.HasPrefix(b, a) || bOpen && strings.HasPrefix(a, b)
}
