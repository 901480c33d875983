package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// http2Gateway is like craneopsGateway, for clients that use HTTP/2, as most
// providers do with TLS.
func http2Gateway(t *testing.T, options ...string) (*harness.Gateway, *harness.Application) {
	t.Helper()
	app := harness.NewApplication(t)
	return harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, options...)), append(harness.Secrets(), "E2E_PROTOCOLS=h1 h2c")...), app
}

// TestHTTP2 repeats the tests that depend on the protocol over HTTP/2.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	g, app := http2Gateway(t, "body_timeout 1h") // so that the test detects a gateway that waits for the body
	d := harness.CraneOps(strings.Repeat("0123456789abcdef", 1<<20/16))
	large := harness.CraneOps(strings.Repeat("0123456789abcdef", 8<<20/16))
	const signature = "X-CraneOps-Signature"
	cases := []struct {
		name string
		sent harness.Delivery
		want func(*testing.T, harness.Answer)
	}{
		{"missing", d.Without(signature), func(t *testing.T, a harness.Answer) { a.Rejected(t, "missing_signature") }},
		{"repeated", d.Plus(signature, d.Get(signature)), func(t *testing.T, a harness.Answer) { a.Rejected(t, "malformed_signature") }},
		{"forged", d.Saying(d.Body[1:]), func(t *testing.T, a harness.Answer) { a.Rejected(t, "signature_mismatch") }},
		{"method", d.By(http.MethodPut), func(t *testing.T, a harness.Answer) { a.Rejected(t, "method_not_allowed") }},
		{"too large", large, func(t *testing.T, a harness.Answer) { a.Rejected(t, "body_too_large") }},
		{"asks first", large.Plus("Expect", "100-continue"), func(t *testing.T, a harness.Answer) { a.Rejected(t, "body_too_large") }},
		{"accepted", d.Plus("Webhook-Verdict", marker), accepted},
		{"duplicate", d, duplicate},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, err := harness.SendH2C(t, g, c.sent)
			if err != nil {
				t.Fatal(err)
			}
			c.want(t, a)
		})
	}
	app.Saw(t, 1)
	got := app.All()[0]
	got.Carries(t, d)
	genuine(t, got)
}

// TestHTTP2Trailers: unsigned trailers arrive after a body of undeclared
// length.
func TestHTTP2Trailers(t *testing.T) {
	t.Parallel()
	g, app := http2Gateway(t)
	d := harness.CraneOps(`{"trailers":"over HTTP/2"}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.Addr+d.Path, struct{ *bytes.Reader }{bytes.NewReader(d.Body)})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range d.Headers {
		r.Header.Add(h.Name, h.Value)
	}
	r.Trailer = http.Header{"Webhook-Id": {marker}, "X-Extra": {marker}}
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	a, err := harness.Read((&http.Client{Transport: transport, Timeout: harness.Patience}).Do(r))
	if err != nil {
		t.Fatal(err)
	}
	a.Accepted(t)
	app.Saw(t, 1)
	got := app.All()[0]
	got.Carries(t, d)
	genuine(t, got)
}
