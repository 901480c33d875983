package module

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/schemes"
)

// received gives a request to the scheme as its sender wrote it: handlers in
// front of this one may have rewritten it. This is the one place that knows
// which URL the provider has signed. Headers such as X-Forwarded-Proto do not
// count, from whomever they come: who can write them would choose for which
// URL a delivery is taken.
func (h *Handler) received(r *http.Request) schemes.Request {
	seen := schemes.Request{Header: r.Header}
	if !h.scheme.SignsRequest {
		return seen
	}
	original := originalRequest(r)
	seen.Method, seen.Host, seen.URI = original.Method, r.Host, original.RequestURI
	if !strings.HasPrefix(seen.URI, "/") { // the absolute form, as proxies get it
		seen.URI = original.URL.RequestURI()
	}
	if !strings.HasPrefix(seen.URI, "/") {
		// Such as x:y or *, which no provider sends: with nothing between it and the
		// host, the signed URL could be cut elsewhere. An empty URL is refused.
		return schemes.Request{Header: r.Header, Method: seen.Method}
	}
	seen.Scheme = "http"
	if r.TLS != nil {
		seen.Scheme = "https"
	}
	if h.PublicURL != "" {
		p := &h.publicURL
		seen.Scheme, seen.Host, seen.URI = p.scheme, p.host, p.prefix+seen.URI
	}
	return seen
}

// originalRequest is the request before any rewrite.
func originalRequest(r *http.Request) *http.Request {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return &original
	}
	return r
}

// explainURL says what else a mismatch may be where the URL is signed.
func (h *Handler) explainURL(refused *refusal) *refusal {
	switch {
	case !h.scheme.SignsRequest || refused.reason != schemes.SignatureMismatch:
	case h.PublicURL == "":
		refused.detail += "; the URL is signed too, and was taken from the request: behind a proxy that changes scheme, host or path, write public_url"
	default:
		refused.detail += "; the URL is signed too: compare the one that the provider has with public_url and, behind it, path and query of the request"
	}
	return refused
}
