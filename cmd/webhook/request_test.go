package webhook

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
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

func requestSignature(method, url, body string) string {
	return fmt.Sprintf("X-Request-Signature: %x\n", mac([]byte("k"), method+"\n"+url+"\n"+body))
}

func TestSignedURL(t *testing.T) {
	const url = "https://example.com:8443/a%2Fb?c=%20&d"
	o := run(t, []byte("x"), "sign", "--scheme", "test-request", "--secret", "k", "--url", url+"#part", "--method", "PUT")
	if want := requestSignature("PUT", url, "x"); o.status != 0 || o.out != want {
		t.Errorf("status %d: %s%s, want %s", o.status, o.out, o.errOut, want)
	}
	verify := func(args ...string) outcome {
		headers := tempFile(t, []byte(requestSignature("POST", "http://a/?b", "x")))
		return run(t, []byte("x"), append([]string{"verify", "--scheme", "test-request", "--secret", "k", "--headers", headers}, args...)...)
	}
	for address, status := range map[string]int{"http://a/?b": 0, "http://a?b": 0, "http://a/?c": 1, "https://a/?b": 1} {
		if o := verify("--url", address); o.status != status {
			t.Errorf("%s: status %d: %s%s", address, o.status, o.out, o.errOut)
		}
	}
	if o := verify("--url", "http://a/?b"); !strings.Contains(o.out, `signed bytes:   "POST\nhttp://a/?b\nx"`) {
		t.Errorf("%s", o.out)
	}
	for want, args := range map[string][]string{
		"test-request signs the URL or the method; add --url URL": nil,
		"--url is not a URL": {"--url", "example.com"},
		"--url is not a URL; write http:// or https://, a host, a path and the query": {"--url", "http://user:canary@a/"},
	} {
		if o := verify(args...); o.status != 2 || !strings.Contains(o.errOut, want) || strings.Contains(o.errOut, "canary") {
			t.Errorf("%v: status %d: %s, want %q", args, o.status, o.errOut, want)
		}
	}
}

// TestSendSignsWhereItSends: send signs the URL that it sends to, unless --url
// gives another, as is needed for a gateway after a proxy.
func TestSendSignsWhereItSends(t *testing.T) {
	var got string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = "X-Request-Signature: " + r.Header.Get("X-Request-Signature") + "\n"
	}))
	defer server.Close()
	to := server.URL + "/a?b"
	for _, public := range []string{to, "https://public.example/hook"} {
		o := run(t, []byte("x"), "send", "--scheme", "test-request", "--secret", "k", "--to", to, "--url", public)
		if public == to {
			o = run(t, []byte("x"), "send", "--scheme", "test-request", "--secret", "k", "--to", to)
		}
		if want := requestSignature("POST", public, "x"); o.status != 0 || got != want {
			t.Errorf("status %d: %s, sent %s, want %s", o.status, o.errOut, got, want)
		}
	}
}
