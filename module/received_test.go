package module

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
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
				if _, err := schemes.ParsePublicURL(public); err == nil {
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

// TestMismatchOfAURLSaysSo, and what to look at.
func TestMismatchOfAURLSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		options map[string]any
		header  string
		hint    string
	}{
		"the URL is signed":     {map[string]any{"scheme": "test-request"}, "X-Request-Signature", "write public_url"},
		"public_url is written": {map[string]any{"scheme": "test-request", "public_url": "https://a"}, "X-Request-Signature", "compare the one that the provider has with public_url"},
		"it is not signed":      {nil, "X-Craneops-Signature", "none of the configured secrets produces this signature for this body"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, c.options, nil)
			g.send(t, http.Header{c.header: {fmt.Sprintf("%064x", 1)}}, body)
			entries := g.logs.FilterMessage("delivery rejected: signature_mismatch").All()
			if len(entries) != 1 {
				t.Fatalf("log %v", g.logs.All())
			}
			detail, _ := entries[0].ContextMap()["detail"].(string)
			if _, aboutURL, _ := strings.Cut(detail, "; "); !strings.Contains(detail, c.hint) || c.options == nil && aboutURL != "" {
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

// TestTargetWithoutASlash: nothing would stand between the host and what follows
// it, so that one could be cut out of the other's text.
func TestTargetWithoutASlash(t *testing.T) {
	for _, options := range []map[string]any{
		{"scheme": "test-request"},
		{"scheme": "test-request", "public_url": "https://pub.example/in"},
		{"scheme": "twilio"},
	} {
		g := newGateway(t, options, nil)
		for _, target := range []string{"x:box/other", "*"} {
			for _, cut := range []string{"http://test" + target, "http://testbox/other", "https://pub.example/inbox/other"} {
				header := fmt.Sprintf("X-Request-Signature: %x\r\n", macUnder([]byte(testSecret), "POST\n", cut, "\n"))
				if options["scheme"] == "twilio" {
					mac := hmac.New(sha1.New, []byte(testSecret))
					mac.Write([]byte(cut))
					header = "X-Twilio-Signature: " + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + "\r\n"
				}
				_, answer := g.raw(t, "POST "+target+" HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n"+header+"\r\n")
				res, err := http.ReadResponse(answer, nil)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				if res.StatusCode != http.StatusUnauthorized && res.StatusCode != http.StatusBadRequest {
					t.Errorf("%v, %s as %s: %d", options, target, cut, res.StatusCode)
				}
			}
		}
		g.expectDelivered(t)
	}
}
