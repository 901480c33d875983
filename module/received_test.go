package module

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/schemes"
)

// A scheme that signs all there is of a request.
func init() {
	schemes.Define("test-request", schemes.Definition{
		Signature: schemes.SignatureForm{Header: "X-Request-Signature"},
		Signed:    "{method}\n{url}\n{body}",
	})
}

func TestSignedURL(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "test-request"}, nil)
	sign := func(method, url, body string) http.Header {
		return http.Header{"X-Request-Signature": {fmt.Sprintf("%x", macUnder([]byte(testSecret), method, "\n", url, "\n", body))}}
	}
	expect(t, g.send(t, sign("POST", g.URL+"/hook?token=1", body), body), http.StatusNoContent, "")
	g.expectDelivered(t, body)
	expect(t, g.send(t, sign("POST", g.URL+"/hook?token=1", body), body), http.StatusOK, "")
	for name, header := range map[string]http.Header{
		"another query":  sign("POST", g.URL+"/hook?token=2", body),
		"another method": sign("PUT", g.URL+"/hook?token=1", body),
		"another scheme": sign("POST", "https"+g.URL[len("http"):]+"/hook?token=1", body),
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, g.send(t, header, body), http.StatusUnauthorized, "rejected signature_mismatch")
		})
	}
}

// TestReceivedIsAsItWasSent: what was rewritten in front of the handler is not
// what the provider signed.
func TestReceivedIsAsItWasSent(t *testing.T) {
	scheme, _ := schemes.Get("test-request")
	h := &Handler{scheme: scheme}
	for target, want := range map[string]schemes.Request{
		"/a%2Fb?c=%20&d":          {Method: "POST", Scheme: "http", Host: "example.com", URI: "/a%2Fb?c=%20&d"},
		"https://example.com/a?b": {Method: "POST", Scheme: "https", Host: "example.com", URI: "/a?b"},
		"http://example.com:81":   {Method: "POST", Scheme: "http", Host: "example.com:81", URI: "/"},
	} {
		r := httptest.NewRequest(http.MethodPost, target, nil)
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), new(caddyhttp.Server))
		r.Method, r.URL.Path, r.URL.RawPath, r.URL.RawQuery, r.RequestURI = "PUT", "/other", "", "x", "/other?x"
		got := h.received(r)
		if got.Method != want.Method || got.Scheme != want.Scheme || got.Host != want.Host || got.URI != want.URI {
			t.Errorf("%s: %+v", target, got)
		}
	}
}
