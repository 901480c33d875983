package engine

import (
	"net/http"
	"strings"
)

// Request is what a scheme sees of a delivery before its body, as the sender
// wrote it: nothing in front of the verifier may have rewritten it.
type Request struct {
	// Header has its names in canonical form.
	Header http.Header

	// Method, and the parts of the URL, are needed by schemes with
	// SignsRequest only.
	Method string

	// Scheme is http or https, Host has the port if the sender wrote one, and
	// URI is path and query, undecoded.
	Scheme, Host, URI string
}

// URL gives the URL as the sender wrote it, for schemes that sign it.
func (r *Request) URL() string { return string(r.appendURL(nil)) }

// AppendURL appends the URL to what a scheme signs. It fails with a Refusal if
// the URL is not known or has a character that no server passes on. Its path begins with
// a slash and its host has none, or text could be moved between the two.
func (r *Request) AppendURL(dst []byte) ([]byte, error) {
	start := len(dst)
	dst = r.appendURL(dst)
	known := r.Host != "" && !strings.ContainsAny(r.Host, "/?#") && strings.HasPrefix(r.URI, "/")
	if !known || !isAll(urlGrammar, dst[start:]) {
		return dst, malformedURL
	}
	return dst, nil
}

var malformedURL = Refuse(MalformedSignedHeader, "the URL has a character that no server passes on, or that makes it unclear where the URL ends, or is not known")

func (r *Request) appendURL(b []byte) []byte {
	b = append(append(b, r.Scheme...), "://"...)
	return append(append(b, r.Host...), r.URI...)
}
