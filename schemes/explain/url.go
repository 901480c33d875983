package explain

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// requestTry is a request that could have been signed.
type requestTry struct {
	request schemes.Request
	finding Finding
	changes int
}

// part is another value of one part of the URL, with what that says.
type part struct{ value, words string }

// requests are the other URLs and methods that could have been signed, those
// with the fewest changes first. There are none if the scheme signs neither.
func (d *Delivery) requests() []requestTry {
	if !d.Scheme.SignsRequest {
		return nil
	}
	r := d.Request
	var tries []requestTry
	for _, scheme := range otherScheme(r.Scheme) {
		for _, host := range d.hosts() {
			for _, port := range otherPort(host.value) {
				for _, uri := range otherURI(r.URI) {
					var words []string
					for _, p := range []part{scheme, host, port, uri} {
						if p.words != "" {
							words = append(words, p.words)
						}
					}
					if len(words) > 0 {
						changed := r
						changed.Scheme, changed.Host, changed.URI = scheme.value, port.value, uri.value
						tries = append(tries, requestTry{changed, urlFinding(words), len(words)})
					}
				}
			}
		}
	}
	slices.SortStableFunc(tries, func(a, b requestTry) int { return cmp.Compare(a.changes, b.changes) })
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodGet, http.MethodDelete} {
		if method != r.Method {
			changed := r
			changed.Method = method
			tries = append(tries, requestTry{request: changed, finding: Finding{
				"the sender signed the method " + method, "have it send with the method that it signs, or write --method " + method,
			}})
		}
	}
	return tries
}

func urlFinding(words []string) Finding {
	return Finding{
		"the sender signed another URL: " + strings.Join(words, ", "),
		"configure the same URL at the sender and in public_url, and write it as --url here: a proxy in front can change scheme, host and path",
	}
}

func otherScheme(scheme string) []part {
	if scheme == "http" {
		return []part{{scheme, ""}, {"https", "https in place of http"}}
	}
	return []part{{scheme, ""}, {"http", "http in place of https"}}
}

// hosts are the host and those that the headers name.
func (d *Delivery) hosts() []part {
	hosts := []part{{d.Request.Host, ""}}
	for _, name := range []string{"Host", "X-Forwarded-Host"} {
		if host := d.Request.Header.Get(name); host != "" && host != d.Request.Host {
			hosts = append(hosts, part{host, "the host of the header " + name})
		}
	}
	return hosts
}

func otherPort(host string) []part {
	ports := []part{{host, ""}}
	at := strings.LastIndexByte(host, ':')
	if at > strings.LastIndexByte(host, ']') {
		return append(ports, part{host[:at], "without the port"})
	}
	for _, port := range []string{":443", ":80"} {
		ports = append(ports, part{host + port, "with the port " + port[1:]})
	}
	return ports
}

func otherURI(uri string) []part {
	uris := []part{{uri, ""}}
	path, query, asked := strings.Cut(uri, "?")
	if asked {
		uris = append(uris, part{path, "without the query"})
		query = "?" + query
	}
	if bare, slash := strings.CutSuffix(path, "/"); slash {
		uris = append(uris, part{bare + query, "without the slash at the end of the path"})
	} else {
		uris = append(uris, part{path + "/" + query, "with a slash at the end of the path"})
	}
	return uris
}
