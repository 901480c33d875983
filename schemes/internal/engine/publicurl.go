package engine

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// PublicURL is where senders reach a program, as they write it. The zero value
// is one that is not known.
type PublicURL struct {
	Scheme, Host string
	// Prefix is what a proxy has taken away from the beginning of the path.
	Prefix string
}

var errPublicURL = errors.New("this is not the beginning of a URL; write it as the provider has it, such as https://hooks.example.com, with the port if there is one, and a path only if a proxy takes it away; no user, query, fragment or placeholder")

// ParsePublicURL takes the text as it is: what is signed is the provider's
// spelling, in which :443 and the case of letters count.
func ParsePublicURL(text string) (PublicURL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return PublicURL{}, errPublicURL
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != u.Scheme || strings.Trim(rest, urlCharacters) != "" {
		return PublicURL{}, errPublicURL
	}
	host, path, _ := strings.Cut(rest, "/")
	p := PublicURL{Scheme: scheme, Host: host}
	if path = strings.TrimSuffix(path, "/"); path != "" {
		p.Prefix = "/" + path
	}
	return p, nil
}

// urlCharacters are those of host and path (RFC 3986, 3.2 and 3.3).
const urlCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:/%[]"

// RequestOf returns what schemes see of a request that is as its sender wrote
// it, at the public URL if there is one. Headers such as X-Forwarded-Proto do
// not count: a sender that can write them would choose for which URL a delivery
// is taken.
func RequestOf(r *http.Request, public PublicURL) Request {
	seen := Request{Header: r.Header, Method: r.Method}
	uri := r.RequestURI
	if !strings.HasPrefix(uri, "/") && r.URL != nil { // the absolute form, as proxies get it
		uri = r.URL.RequestURI()
	}
	if !strings.HasPrefix(uri, "/") {
		// Such as x:y or *, which no provider sends: with nothing between it and the
		// host, the signed URL could be cut elsewhere. An empty URL is refused.
		return seen
	}
	seen.Scheme, seen.Host, seen.URI = "http", r.Host, uri
	if r.TLS != nil {
		seen.Scheme = "https"
	}
	if public != (PublicURL{}) {
		seen.Scheme, seen.Host, seen.URI = public.Scheme, public.Host, public.Prefix+uri
	}
	return seen
}
