package module

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/schemes"
)

// received returns a request as its sender wrote it, for the scheme: handlers
// before this one may have rewritten it. This is the one place that knows which
// URL the provider has signed.
func (h *Handler) received(r *http.Request) schemes.Request {
	if !h.scheme.SignsRequest {
		return schemes.Request{Header: r.Header}
	}
	sent := *originalRequest(r)
	sent.Header, sent.Host, sent.TLS = r.Header, r.Host, r.TLS
	return schemes.RequestOf(&sent, h.publicURL)
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
