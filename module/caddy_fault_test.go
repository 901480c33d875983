package module

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// TestLinkedCaddy checks that a Caddy of an unknown version is treated as one
// that mixes bodies, and a Caddy that the operator has replaced is not.
func TestLinkedCaddy(t *testing.T) {
	const path = "github.com/caddyserver/caddy/v2"
	for name, test := range map[string]struct {
		build debug.BuildInfo
		mixes bool
	}{
		"fault":         {debug.BuildInfo{Deps: []*debug.Module{{Path: path, Version: "v2.11.9"}}}, true},
		"newer":         {debug.BuildInfo{Deps: []*debug.Module{{Path: path, Version: "v2.11.10"}}}, false},
		"newer minor":   {debug.BuildInfo{Deps: []*debug.Module{{Path: path, Version: "v2.12.0-beta.1"}}}, false},
		"commit since":  {debug.BuildInfo{Deps: []*debug.Module{{Path: path, Version: "v2.11.10-0.20261101000000-0123456789ab"}}}, true},
		"replaced":      {debug.BuildInfo{Deps: []*debug.Module{{Path: path, Version: "v2.11.9", Replace: &debug.Module{Path: "../caddy"}}}}, false},
		"its own build": {debug.BuildInfo{Main: debug.Module{Path: path, Version: "(devel)"}}, true},
		"not there":     {debug.BuildInfo{}, true},
	} {
		if _, mixes := caddyIn(&test.build); mixes != test.mixes {
			t.Errorf("%s: mixes bodies: %v", name, mixes)
		}
	}
}

// TestCaddyStillMixesBodies reproduces the fault in one process and reliably:
// between two attempts at one request, the buffer with the beginning of its
// body is already used for the next request.
func TestCaddyStillMixesBodies(t *testing.T) {
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	var victim, spoiler reverseproxy.Handler
	for _, h := range []*reverseproxy.Handler{&victim, &spoiler} {
		h.Upstreams = reverseproxy.UpstreamPool{{Dial: "127.0.0.1:1"}}
		h.LoadBalancing = &reverseproxy.LoadBalancing{Retries: 1}
		h.RequestBuffers = 1 << 10
		if err := h.Provision(ctx); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = h.Cleanup() }()
	}
	serve := func(h *reverseproxy.Handler, body string) {
		r := httptest.NewRequest(http.MethodGet, "/", strings.NewReader(body))
		r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), new(caddyhttp.Server))
		_ = h.ServeHTTP(httptest.NewRecorder(), r, nil)
	}
	answer := func() *http.Response {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}
	}
	mixed := false
	// The pool has a list for each processor, and drops some buffers under the
	// race detector.
	for range 1000 {
		attempts := 0
		spoiler.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if attempts++; attempts == 1 {
				_, _ = io.CopyN(io.Discard, r.Body, 10)
				r.Body.Close()
				return nil, io.ErrUnexpectedEOF
			}
			victim.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
				rest, _ := io.ReadAll(r.Body)
				mixed = mixed || bytes.Contains(rest, []byte("b"))
				return answer(), nil
			})
			serve(&victim, strings.Repeat("b", 1000))
			return answer(), nil // without a Close, which would corrupt the buffer for good
		})
		serve(&spoiler, strings.Repeat("a", 2000))
	}
	if !mixed {
		t.Error("this Caddy no longer mixes bodies. If go.mod requires it, take out what is about that: this test, TestProxiesThatMixBodies, mixesBodies and its use in module/proxies.go, TestCaddyMixesBodies in e2e, docs/caddy-buffer-fault.md and what links to it")
	}
}

// roundTrip is a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
