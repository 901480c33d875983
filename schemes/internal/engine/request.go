package engine

import (
	"net/http"
	"strings"
)

// Request is the part of a delivery that a scheme reads before the body. It
// must be as the sender wrote it: nothing before the verifier may rewrite it.
type Request struct {
	// Header has canonical names.
	Header http.Header

	// Method and the parts of the URL are needed only by schemes with
	// SignsRequest.
	Method string

	// Scheme is http or https, Host has the port if the sender wrote one, and
	// URI is path and query, undecoded.
	Scheme, Host, URI string
}

// URL returns the URL as the sender wrote it, for schemes that sign it.
func (r *Request) URL() string { return string(r.appendURL(nil)) }

// AppendURL appends the URL to dst. It returns a Refusal if the URL is not
// known, has a character that no server passes on, has a host with a slash or
// has a path that does not begin with one: otherwise text could be moved
// between host and path.
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
