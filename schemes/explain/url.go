package explain

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// tryRequest receives a changed request and the words that describe the change.
// It reports whether to go on.
type tryRequest func(r schemes.Request, words string) bool

// inRequest turns a function that changes the URL or the method into a row's
// try function. It tries nothing if the scheme signs neither.
func inRequest(change func(r schemes.Request, try tryRequest)) func(*search, candidate, func(candidate, string) bool) {
	return func(_ *search, c candidate, yield func(candidate, string) bool) {
		if !c.scheme.SignsRequest() {
			return
		}
		own := c.request
		going := true
		change(own, func(r schemes.Request, words string) bool {
			if going && (r.Method != own.Method || r.URL() != own.URL()) {
				next := c
				next.request = r
				going = yield(next, words)
			}
			return going
		})
	}
}

// urlPart is another value for one part of the URL, with the words that
// describe it.
type urlPart struct{ value, words string }

// otherURLs tries URLs with other parts, those with the fewest changes first.
func otherURLs(r schemes.Request, try tryRequest) {
	type variant struct {
		request schemes.Request
		words   []string
	}
	var all []variant
	for _, scheme := range otherProtocol(r.Scheme) {
		for _, host := range otherHosts(r) {
			for _, port := range otherPort(host.value) {
				for _, uri := range otherURI(r.URI) {
					changed := r
					changed.Scheme, changed.Host, changed.URI = scheme.value, port.value, uri.value
					var words []string
					for _, p := range []urlPart{scheme, host, port, uri} {
						if p.words != "" {
							words = append(words, p.words)
						}
					}
					all = append(all, variant{changed, words})
				}
			}
		}
	}
	slices.SortStableFunc(all, func(a, b variant) int { return cmp.Compare(len(a.words), len(b.words)) })
	for _, v := range all {
		if !try(v.request, strings.Join(v.words, ", ")) {
			return
		}
	}
}

func otherProtocol(scheme string) []urlPart {
	if scheme == "http" {
		return []urlPart{{scheme, ""}, {"https", "https in place of http"}}
	}
	return []urlPart{{scheme, ""}, {"http", "http in place of https"}}
}

// otherHosts returns the host and those that the headers name.
func otherHosts(r schemes.Request) []urlPart {
	hosts := []urlPart{{r.Host, ""}}
	for _, name := range []string{"Host", "X-Forwarded-Host"} {
		if host := r.Header.Get(name); host != "" && host != r.Host {
			hosts = append(hosts, urlPart{host, "the host of the header " + name})
		}
	}
	return hosts
}

func otherPort(host string) []urlPart {
	ports := []urlPart{{host, ""}}
	at := strings.LastIndexByte(host, ':')
	if at > strings.LastIndexByte(host, ']') {
		return append(ports, urlPart{host[:at], "without the port"})
	}
	for _, port := range []string{":443", ":80"} {
		ports = append(ports, urlPart{host + port, "with the port " + port[1:]})
	}
	return ports
}

func otherURI(uri string) []urlPart {
	path, query, asked := strings.Cut(uri, "?")
	slashed := urlPart{path + "/", "with a slash at the end of the path"}
	if bare, slash := strings.CutSuffix(path, "/"); slash {
		slashed = urlPart{bare, "without the slash at the end of the path"}
	}
	if !asked {
		return []urlPart{{uri, ""}, slashed}
	}
	return []urlPart{
		{uri, ""},
		{path, "without the query"},
		{slashed.value + "?" + query, slashed.words},
		{slashed.value, slashed.words + " and without the query"},
	}
}

func webSocketURLs(r schemes.Request, try tryRequest) {
	for _, scheme := range []string{"wss", "ws"} {
		r.Scheme = scheme
		if !try(r, scheme+"://") {
			return
		}
	}
}

// otherQueries tries URLs whose query is in another order, escaped differently
// or decoded.
func otherQueries(r schemes.Request, try tryRequest) {
	path, query, asked := strings.Cut(r.URI, "?")
	if !asked {
		return
	}
	with := func(query, words string) bool {
		changed := r
		changed.URI = path + "?" + query
		return try(changed, words)
	}
	if all := fields([]byte(query)); all != nil {
		again := func(b []byte, _ string) bool { return with(string(b), "the same parameters, escaped otherwise") }
		if !writeForm(all, again) {
			return
		}
	}
	if plain, err := url.PathUnescape(query); err == nil && !with(plain, "without its escapes") {
		return
	}
	for _, order := range otherOrders(strings.Split(query, "&"), strings.Compare) {
		if !with(strings.Join(order, "&"), "the same parameters in another order") {
			return
		}
	}
}

func otherMethods(r schemes.Request, try tryRequest) {
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodGet, http.MethodDelete, http.MethodHead} {
		r.Method = method
		if !try(r, method) {
			return
		}
	}
}

// digestNotLast looks for the digest of the body at a place in the URL where
// the scheme does not accept it.
func digestNotLast(_ *search, c candidate, yield func(candidate, string) bool) {
	_, query, _ := strings.Cut(c.request.URI, "?")
	digest := sha256.Sum256(c.body)
	for i, f := range fields([]byte(query)) {
		if f.name != "bodySHA256" || f.value != hex.EncodeToString(digest[:]) || i == strings.Count(query, "&") {
			continue
		}
		c.proven = true // this alone refuses it, whatever its signature
		yield(c, "")
	}
}
