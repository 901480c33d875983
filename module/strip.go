package module

import (
	"net/http"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// stripForged removes headers that a sender must not set. It runs before
// anything else and whatever the verdict, because handle_errors passes headers
// on too. It removes headers that look like this handler's own, trailers, which
// are not signed, and headers that would open a tunnel or make a proxy delete
// another header. Headers that the scheme reads stay until the scheme has
// judged them.
func stripForged(r *http.Request, o headerOptions, read []string) {
	o.removeOursBut(r.Header, read)
	dropTrailers(r)
	delete(r.Header, "Upgrade")
	delete(r.Header, "Http2-Settings")
	delete(r.Header, ":protocol") // a tunnel over HTTP/2
	if connection, ok := r.Header["Connection"]; ok {
		if kept := harmlessTokens(connection); kept != "" {
			r.Header["Connection"] = []string{kept}
		} else {
			delete(r.Header, "Connection")
		}
	}
}

// removeOurs removes the headers that only this handler may write.
func (o headerOptions) removeOurs(header http.Header) { o.removeOursBut(header, nil) }

// removeOursBut removes these headers except for some names, in exactly this
// spelling.
func (o headerOptions) removeOursBut(header http.Header, kept []string) {
	for name := range header {
		if o.isOurs(name) && !slices.Contains(kept, name) {
			delete(header, name)
		}
	}
}

// standardHeaders are the headers of Standard Webhooks. Their names are
// otherwise this handler's own.
var standardHeaders = []string{headerID, headerTimestamp, headerSignature}

// ownNames returns the headers of a scheme that look like this handler's own:
// those that the scheme reads, and those of them that stay once verified. A
// header that is not signed never stays.
func (o headerOptions) ownNames(s schemes.Scheme) (read, stay []string) {
	signed := slices.Concat([]string{s.SignatureHeader()}, s.SignedHeaders(), s.AliasHeaders())
	for _, name := range slices.Concat(signed, s.UnsignedHeaders()) {
		if !o.isOurs(name) {
			continue
		}
		read = append(read, name)
		if slices.Contains(signed, name) && slices.Contains(standardHeaders, name) {
			stay = append(stay, name)
		}
	}
	return read, stay
}

// RemoveForged removes the headers of a captured delivery that only this
// handler may write, except those that its scheme signs. For a scheme that is
// not built in, it keeps those of Standard Webhooks.
func RemoveForged(header http.Header, scheme string) {
	o, kept := headerOptionsOf(nil), standardHeaders
	if known, ok := schemes.Get(scheme); ok {
		_, kept = o.ownNames(known)
	}
	o.removeOursBut(header, kept)
}

// isOurs reports whether a header has one of this handler's prefixes. The names
// of CloudEvents are not reserved unless the handler writes them.
func (o headerOptions) isOurs(name string) bool {
	return begins(name, "webhook") || o.cloudEvents && begins(name, "ce")
}

// begins reports whether a name has a prefix, in any spelling that an
// application may take for it. CGI and similar interfaces turn every character
// other than a letter or digit into an underscore.
func begins(name, prefix string) bool {
	if len(name) <= len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
		return false
	}
	ch := name[len(prefix)] | 0x20
	return (ch < 'a' || ch > 'z') && (ch < '0' || ch > '9')
}

// dropTrailers removes the trailers. It is called again once the body has been
// read, which is when trailers arrive. It clears the map, because earlier
// handlers may have copies of the request that share it.
func dropTrailers(r *http.Request) {
	clear(r.Trailer)
	delete(r.Header, "Trailer")
}

// harmlessTokens returns the tokens of Connection that concern only the
// connection. Any other token would make the proxy delete the header of that
// name.
func harmlessTokens(values []string) string {
	var kept []string
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			token = strings.ToLower(strings.TrimSpace(token))
			if (token == "close" || token == "keep-alive") && !slices.Contains(kept, token) {
				kept = append(kept, token)
			}
		}
	}
	return strings.Join(kept, ", ")
}
