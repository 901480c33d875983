package module

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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

// TestPublicURL: what is signed is the URL in front of the proxy, with what the
// proxy takes away from its path.
func TestPublicURL(t *testing.T) {
	for public, begins := range map[string]string{
		"https://hooks.example.com":          "https://hooks.example.com",
		"https://hooks.example.com/":         "https://hooks.example.com",
		"https://Hooks.example.com:443/in/%": "",
		"http://10.0.0.1:8080/a%2Fb/c":       "http://10.0.0.1:8080/a%2Fb/c",
		"https://Hooks.example.com:443/in/":  "https://Hooks.example.com:443/in",
		"https://[2001:db8::1]:8443":         "https://[2001:db8::1]:8443",
	} {
		t.Run(public, func(t *testing.T) {
			if begins == "" {
				if _, err := parsePublicURL(public); err == nil {
					t.Error("is taken")
				}
				return
			}
			g := newGateway(t, map[string]any{"scheme": "test-request", "public_url": public}, nil)
			sign := func(url string) http.Header {
				return http.Header{
					"X-Request-Signature": {fmt.Sprintf("%x", macUnder([]byte(testSecret), "POST\n", url, "\n", body))},
					"X-Forwarded-Proto":   {"https"}, "X-Forwarded-Host": {"other.example.com"},
				}
			}
			expect(t, g.send(t, sign(g.URL+"/hook?token=1"), body), http.StatusUnauthorized, "rejected signature_mismatch")
			expect(t, g.send(t, sign("https://other.example.com/hook?token=1"), body), http.StatusUnauthorized, "rejected signature_mismatch")
			expect(t, g.send(t, sign(begins+"/hook?token=1"), body), http.StatusNoContent, "")
			g.expectDelivered(t, body)
			if got := g.delivered()[0]; got.uri != "/hook?token=1" {
				t.Errorf("the application was asked for %s", got.uri)
			}
		})
	}
}

// TestForwardedHeadersDoNotCount, not even those of a trusted proxy: most pass
// on an X-Forwarded-Host that the sender has written.
func TestForwardedHeadersDoNotCount(t *testing.T) {
	scheme, _ := schemes.Get("test-request")
	h := &Handler{scheme: scheme}
	r := httptest.NewRequest(http.MethodPost, "http://example.com/a", nil)
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), new(caddyhttp.Server))
	caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, true)
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("X-Forwarded-Host", "other.example.com")
	if got := h.received(r); got.URL() != "http://example.com/a" {
		t.Errorf("%+v", got)
	}
}

// TestMismatchOfAURLSaysSo, unless the operator has said which URL it is.
func TestMismatchOfAURLSaysSo(t *testing.T) {
	const hint = "write public_url"
	for name, c := range map[string]struct {
		options map[string]any
		header  string
		hint    bool
	}{
		"the URL is signed":     {map[string]any{"scheme": "test-request"}, "X-Request-Signature", true},
		"public_url is written": {map[string]any{"scheme": "test-request", "public_url": "https://a"}, "X-Request-Signature", false},
		"it is not signed":      {nil, "X-Craneops-Signature", false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, c.options, nil)
			g.send(t, http.Header{c.header: {fmt.Sprintf("%064x", 1)}}, body)
			entries := g.logs.FilterMessage("delivery rejected: signature_mismatch").All()
			if len(entries) != 1 {
				t.Fatalf("log %v", g.logs.All())
			}
			if detail, _ := entries[0].ContextMap()["detail"].(string); strings.Contains(detail, hint) != c.hint {
				t.Errorf("detail %q", detail)
			}
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
