package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// http2Gateway is craneopsGateway for clients that speak HTTP/2, as most
// providers' do once there is TLS.
func http2Gateway(t *testing.T, options ...string) (*gateway, *application) {
	t.Helper()
	app := newApplication(t)
	return start(t, openSite(hook("/craneops", "craneops", app.addr, options...)), append(secrets(), "E2E_PROTOCOLS=h1 h2c")...), app
}

// TestHTTP2 repeats over HTTP/2 what depends on the protocol.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	g, app := http2Gateway(t, "body_timeout 1h") // a gateway that waits in vain shows
	d := craneops(strings.Repeat("0123456789abcdef", 1<<20/16))
	large := craneops(strings.Repeat("0123456789abcdef", 8<<20/16))
	const signature = "X-CraneOps-Signature"
	cases := []struct {
		name string
		sent delivery
		want func(*testing.T, answer)
	}{
		{"missing", d.without(signature), func(t *testing.T, a answer) { a.rejected(t, "missing_signature") }},
		{"repeated", d.plus(signature, d.get(signature)), func(t *testing.T, a answer) { a.rejected(t, "malformed_signature") }},
		{"forged", d.saying(d.body[1:]), func(t *testing.T, a answer) { a.rejected(t, "signature_mismatch") }},
		{"method", d.by(http.MethodPut), func(t *testing.T, a answer) { a.rejected(t, "method_not_allowed") }},
		{"too large", large, func(t *testing.T, a answer) { a.rejected(t, "body_too_large") }},
		{"asks first", large.plus("Expect", "100-continue"), func(t *testing.T, a answer) { a.rejected(t, "body_too_large") }},
		{"accepted", d.plus("Webhook-Verdict", marker), accepted},
		{"duplicate", d, duplicate},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, err := sendH2C(t, g, c.sent)
			if err != nil {
				t.Fatal(err)
			}
			c.want(t, a)
		})
	}
	app.saw(t, 1)
	got := app.all()[0]
	got.carries(t, d)
	genuine(t, got)
}

// TestHTTP2Trailers: they come after a body of undeclared length, unsigned.
func TestHTTP2Trailers(t *testing.T) {
	t.Parallel()
	g, app := http2Gateway(t)
	d := craneops(`{"trailers":"over HTTP/2"}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+g.addr+d.path, struct{ *bytes.Reader }{bytes.NewReader(d.body)})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range d.headers {
		r.Header.Add(h.name, h.value)
	}
	r.Trailer = http.Header{"Webhook-Id": {marker}, "X-Extra": {marker}}
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	a, err := read((&http.Client{Transport: transport, Timeout: patience}).Do(r))
	if err != nil {
		t.Fatal(err)
	}
	a.accepted(t)
	app.saw(t, 1)
	got := app.all()[0]
	got.carries(t, d)
	genuine(t, got)
}
