package inspector

import (
	"crypto/rand"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// policy lets the page load its own files and nothing else. It forbids showing
// the page in a frame.
const policy = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// secure sets the security headers of every response.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer") // the address has the token
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
}

// checkOrigin returns why a request does not come from the page itself, or an
// empty string. Another site must not be able to press a button, nor to load
// the page in a tab that it controls, so the check applies to GET too. Programs
// send neither header.
func checkOrigin(r *http.Request) string {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return "This request came from another site. Open the page from its own address."
	}
	for _, origin := range r.Header.Values("Origin") {
		if !isOwn(r, origin) {
			return "This request came from another origin. Open the page from its own address."
		}
	}
	return ""
}

// isOwn reports whether an origin is the address that the request was sent to.
// A proxy may end TLS before the gateway, so https is accepted for a plain
// request. http is rejected for a request that came over TLS.
func isOwn(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
		return false
	}
	if u.Scheme != "https" && (u.Scheme != "http" || r.TLS != nil) {
		return false
	}
	return strings.EqualFold(withPort(u.Host, u.Scheme), withPort(r.Host, u.Scheme))
}

// withPort returns a host with the default port that a browser leaves out.
func withPort(host, scheme string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	port := map[string]string{"http": "80", "https": "443"}[scheme]
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// Private serves a page on loopback, to users who know its token.
type Private struct {
	page  *Page
	token string
}

// NewPrivate gives a page a token of its own, of at least 128 bits.
func NewPrivate(page *Page) *Private {
	return &Private{page: page, token: strings.ToLower(rand.Text())}
}

// Path returns the path of the page.
func (p *Private) Path() string { return "/" + p.token + "/" }

// ServeHTTP serves the page if the host is this machine and the first segment
// of the path is the token. A name that an attacker's DNS points at this
// machine counts as another host.
func (p *Private) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if !isLoopback(r.Host) {
		answer(w, http.StatusForbidden, "This page is served on this machine only, as localhost or 127.0.0.1.")
		return
	}
	token, name, found := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if subtle.ConstantTimeCompare([]byte(token), []byte(p.token)) != 1 {
		answer(w, http.StatusNotFound, "Use the whole address that the command printed.")
		return
	}
	if !found {
		http.Redirect(w, r, p.Path(), http.StatusFound)
		return
	}
	if strings.Contains(name, "/") {
		answer(w, http.StatusNotFound, "There is no such page.")
		return
	}
	p.page.ServeHTTP(w, r)
}

// isLoopback reports whether a Host header names this machine, on any port.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.IsLoopback() && ip.Zone() == ""
}

// answer writes a sentence instead of a page.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// Forbid rejects a request from a user who may not see the page, and says why.
func Forbid(w http.ResponseWriter, why string) {
	secure(w.Header())
	answer(w, http.StatusForbidden, why)
}
