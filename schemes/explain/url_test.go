package explain

import (
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// A scheme that signs the method, the URL and the body.
func init() {
	schemes.Define("test-request", schemes.Definition{
		Source:    "this test",
		Signature: schemes.SignatureForm{Header: "X-Request-Signature"},
		Signed:    "{method}\n{url}\n{body}",
	})
}

// TestRequest signs one URL or method and verifies another one.
func TestRequest(t *testing.T) {
	with := func(change func(r *schemes.Request)) schemes.Request {
		r := request
		change(&r)
		return r
	}
	for _, c := range []struct {
		name         string
		signed, seen schemes.Request
		want         string
	}{
		{"http", with(func(r *schemes.Request) { r.Scheme = "http" }), request, "another URL: http in place of https"},
		{"https", request, with(func(r *schemes.Request) { r.Scheme = "http" }), "another URL: https in place of http"},
		{"a port", with(func(r *schemes.Request) { r.Host += ":443" }), request, "another URL: with the port 443"},
		{"no port", request, with(func(r *schemes.Request) { r.Host += ":8443" }), "another URL: without the port"},
		{"a port and http", with(func(r *schemes.Request) { r.Host += ":80"; r.Scheme = "http" }), request, "another URL: http in place of https"},
		{"an IPv6 address", with(func(r *schemes.Request) { r.Host = "[::1]:80" }), with(func(r *schemes.Request) { r.Host = "[::1]" }), "another URL: with the port 80"},
		{"a slash", with(func(r *schemes.Request) { r.URI = "/in/?a=b" }), request, "another URL: with a slash at the end of the path"},
		{"no slash", request, with(func(r *schemes.Request) { r.URI = "/in/?a=b" }), "another URL: without the slash at the end of the path"},
		{"no query", with(func(r *schemes.Request) { r.URI = "/in" }), request, "another URL: without the query"},
		{"another method", with(func(r *schemes.Request) { r.Method = "PUT" }), request, "the sender signed the method PUT"},
	} {
		t.Run(c.name, func(t *testing.T) {
			everyScheme(t, func(s specimen) bool { return s.scheme.SignsRequest() }, func(t *testing.T, s specimen) {
				d, ok := s.signed(s.signing, s.text, c.signed)
				if !ok {
					t.Fatal("cannot sign")
				}
				c.seen.Header = d.Request.Header
				d.Request = c.seen
				if s.scheme.Name() != "test-request" && d.accepted() {
					return // this scheme does not sign the method, or tries the other port itself
				}
				d.expect(t, c.want)
			})
		})
	}
}

// TestHostOfAHeader: a host that a proxy has replaced.
func TestHostOfAHeader(t *testing.T) {
	scheme, _ := schemes.Get("test-request")
	for _, header := range []string{"Host", "X-Forwarded-Host"} {
		d := specimenOf(t, scheme).delivery(t)
		d.Request.Header.Set(header, d.Request.Host)
		d.Request.Host = "internal"
		d.expect(t, "another URL: the host of the header "+header)
	}
}

// TestRequestAndMore: two mistakes at once, one of them in the URL.
func TestRequestAndMore(t *testing.T) {
	scheme, _ := schemes.Get("test-request")
	d := specimenOf(t, scheme).delivery(t)
	d.Request.Scheme = "http"
	d.Body = append(d.Body, '\n')
	d.expect(t, "the body has a line end at its end", "another URL: https in place of http")

	d = specimenOf(t, scheme).delivery(t)
	d.Request.Scheme = "http"
	d.Secrets[0] += "\n"
	d.expect(t, "the secret has blanks or line ends around it", "another URL: https in place of http")
}
