package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"testing"
)

const (
	squareSecret = "e2e-canary-square-9Wd4Xs7T"
	squareBody   = `{"event_id":"e1","type":"payment.created"}`
)

// squareFor signs a notification for a URL as Square does.
func squareFor(url, path string) delivery {
	mac := hmac.New(sha256.New, []byte(squareSecret))
	mac.Write([]byte(url + squareBody))
	return delivery{method: http.MethodPost, path: path, body: []byte(squareBody), headers: []header{
		{"Content-Type", "application/json"},
		{"x-square-hmacsha256-signature", base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}}
}

// TestPublicURL puts the gateway behind another Caddy that ends TLS under
// another name, as far as a sender can tell, and takes a prefix away.
func TestPublicURL(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(
		route("/behind", "uri strip_prefix /behind", verify("square", "SQUARE_SECRET", "provider behind", "public_url https://hooks.example.com/in"), "reverse_proxy "+app.addr),
		route("/direct", "rewrite /elsewhere?x=1", verify("square", "SQUARE_SECRET", "provider direct"), "reverse_proxy "+app.addr),
	), "SQUARE_SECRET="+squareSecret)
	proxy := start(t, "handle_path /in/* {\n\treverse_proxy "+g.addr+" {\n\t\theader_up Host inside\n\t}\n}")

	const uri = "/behind/square?a=%20b&c"
	public := "https://hooks.example.com/in" + uri
	d := squareFor(public, "/in"+uri)
	proxy.send(t, squareFor("http://"+proxy.addr+"/in"+uri, "/in"+uri)).rejected(t, "signature_mismatch")
	proxy.send(t, squareFor("https://hooks.example.com/in/behind/square?a=%20b&d", "/in"+uri)).rejected(t, "signature_mismatch")
	proxy.send(t, d).accepted(t)
	proxy.send(t, d).duplicate(t)

	// Without the option the request's own URL is the one that is signed, as
	// the sender wrote it: before the rewrite, and whatever a header says.
	direct := "/direct/square?a=%20b&c"
	g.send(t, squareFor("https://other.example.com"+direct, direct).plus("X-Forwarded-Proto", "https").plus("X-Forwarded-Host", "other.example.com")).rejected(t, "signature_mismatch")
	g.send(t, squareFor("http://"+g.addr+"/elsewhere?x=1", direct)).rejected(t, "signature_mismatch")
	g.send(t, squareFor("http://"+g.addr+direct, direct)).accepted(t)
	if n := app.arrivals(); n != 2 {
		t.Errorf("%d deliveries reached the application, not 2", n)
	}
	for _, got := range app.all() {
		if string(got.body) != squareBody {
			t.Errorf("the application received %q", got.body)
		}
	}
}

// TestURLOverHTTP2: its :authority is the host.
func TestURLOverHTTP2(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(route("/square", verify("square", "SQUARE_SECRET"), "reverse_proxy "+app.addr)),
		"SQUARE_SECRET="+squareSecret, "E2E_PROTOCOLS=h1 h2c")
	const uri = "/square?a=%20b&c"
	for _, c := range []struct {
		url  string
		want func(*testing.T, answer)
	}{
		{"https://" + g.addr + uri, func(t *testing.T, a answer) { a.rejected(t, "signature_mismatch") }},
		{"http://" + g.addr + uri, accepted},
	} {
		a, err := sendH2C(t, g, squareFor(c.url, uri))
		if err != nil {
			t.Fatal(err)
		}
		c.want(t, a)
	}
	app.saw(t, 1)
}
