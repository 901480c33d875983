package engine

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// PublicURL is the URL at which senders reach a program, as they write it. The
// zero value means that it is not known.
type PublicURL struct {
	Scheme, Host string
	// Prefix is the beginning of the path, which a proxy has removed.
	Prefix string
}

var errPublicURL = errors.New("this is not the beginning of a URL; write it as the provider has it, such as https://hooks.example.com, with the port if there is one, and a path only if a proxy takes it away; no user, query, fragment or placeholder")

// ParsePublicURL keeps the text as it is: the provider signs its own spelling,
// in which :443 and the case of letters count.
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

// urlCharacters are the characters of host and path (RFC 3986, 3.2 and 3.3).
const urlCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:/%[]"

// RequestOf returns the Request that schemes read, at the public URL if it is
// set. The request must be as its sender wrote it. Headers such as
// X-Forwarded-Proto do not count: a sender that can write them would choose the
// URL that its delivery is verified for.
func RequestOf(r *http.Request, public PublicURL) Request {
	seen := Request{Header: r.Header, Method: r.Method}
	uri := r.RequestURI
	if !strings.HasPrefix(uri, "/") && r.URL != nil { // the absolute form, as proxies get it
		uri = r.URL.RequestURI()
	}
	if !strings.HasPrefix(uri, "/") {
		// Such as x:y or *, which no provider sends. Without a slash between
		// the host and this text, the signed URL could be cut elsewhere. The
		// scheme refuses the empty URL that is returned.
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
