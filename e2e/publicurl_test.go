package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

const (
	squareSecret = "e2e-canary-square-9Wd4Xs7T"
	squareBody   = `{"event_id":"e1","type":"payment.created"}`
)

// squareFor signs a notification for a URL as Square does.
func squareFor(url, path string) harness.Delivery {
	mac := hmac.New(sha256.New, []byte(squareSecret))
	mac.Write([]byte(url + squareBody))
	return harness.Delivery{Method: http.MethodPost, Path: path, Body: []byte(squareBody), Headers: []harness.Header{
		{Name: "Content-Type", Value: "application/json"},
		{Name: "x-square-hmacsha256-signature", Value: base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}}
}

// TestPublicURL puts the gateway behind another Caddy, which to the sender ends
// TLS under another name, and removes a prefix.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Route("/behind", "uri strip_prefix /behind", harness.Verify("square", "SQUARE_SECRET", "provider behind", "public_url https://hooks.example.com/in"), "reverse_proxy "+app.Addr),
		harness.Route("/direct", "rewrite /elsewhere?x=1", harness.Verify("square", "SQUARE_SECRET", "provider direct"), "reverse_proxy "+app.Addr),
	), "SQUARE_SECRET="+squareSecret)
	proxy := harness.Start(t, "handle_path /in/* {\n\treverse_proxy "+g.Addr+" {\n\t\theader_up Host inside\n\t}\n}")

	const uri = "/behind/square?a=%20b&c"
	public := "https://hooks.example.com/in" + uri
	d := squareFor(public, "/in"+uri)
	proxy.Send(t, squareFor("http://"+proxy.Addr+"/in"+uri, "/in"+uri)).Rejected(t, "signature_mismatch")
	proxy.Send(t, squareFor("https://hooks.example.com/in/behind/square?a=%20b&d", "/in"+uri)).Rejected(t, "signature_mismatch")
	proxy.Send(t, d).Accepted(t)
	proxy.Send(t, d).Duplicate(t)

	// Without the option, the request's own URL is verified as the sender wrote
	// it: before the rewrite, and whatever a header says.
	direct := "/direct/square?a=%20b&c"
	g.Send(t, squareFor("https://other.example.com"+direct, direct).Plus("X-Forwarded-Proto", "https").Plus("X-Forwarded-Host", "other.example.com")).Rejected(t, "signature_mismatch")
	g.Send(t, squareFor("http://"+g.Addr+"/elsewhere?x=1", direct)).Rejected(t, "signature_mismatch")
	g.Send(t, squareFor("http://"+g.Addr+direct, direct)).Accepted(t)
	if n := app.Arrivals(); n != 2 {
		t.Errorf("%d deliveries reached the application, not 2", n)
	}
	for _, got := range app.All() {
		if string(got.Body) != squareBody {
			t.Errorf("the application received %q", got.Body)
		}
	}
}

// TestURLOverHTTP2: its :authority is the host.
func TestURLOverHTTP2(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Route("/square", harness.Verify("square", "SQUARE_SECRET"), "reverse_proxy "+app.Addr)),
		"SQUARE_SECRET="+squareSecret, "E2E_PROTOCOLS=h1 h2c")
	const uri = "/square?a=%20b&c"
	for _, c := range []struct {
		url  string
		want func(*testing.T, harness.Answer)
	}{
		{"https://" + g.Addr + uri, func(t *testing.T, a harness.Answer) { a.Rejected(t, "signature_mismatch") }},
		{"http://" + g.Addr + uri, accepted},
	} {
		a, err := harness.SendH2C(t, g, squareFor(c.url, uri))
		if err != nil {
			t.Fatal(err)
		}
		c.want(t, a)
	}
	app.Saw(t, 1)
}
