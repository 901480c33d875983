package inspector

import (
	"crypto/tls"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/module/deliveries"
)

// everything has one address of each kind.
var everything = []string{"", "7", "999", "inbox", "news", "style.css", "script.js", "icon.svg", "headers.txt?number=7", "body.json?number=7", "body.json", "nothing"}

// one is a captured delivery with the number 7.
func one() delivery {
	return delivery{deliveries.Whole{Capture: deliveries.Capture{
		Delivery: deliveries.Delivery{
			Number: 7, Time: deliveries.Timestamp{Time: noon}, Provider: "stripe", Scheme: "stripe", Verdict: "accepted",
			ID: "evt_1", Method: "POST", Status: 200, Application: 200, Captured: true,
		},
		URI: "/hook?x=1", Headers: http.Header{"Stripe-Signature": {"t=1,v1=00"}, "Authorization": {"Bearer x"}}, Body: []byte(`{"a":1}`),
	}}}
}

// TestPrivate checks that there is no page without the token or under another
// host name.
func TestPrivate(t *testing.T) {
	g := &gateway{deliveries: []delivery{one()}, follow: func(http.ResponseWriter, *http.Request) {}}
	private := NewPrivate(g.page())
	if other := NewPrivate(g.page()); other.token == private.token || len(private.token) < 26 { // 26 letters of 5 bits
		t.Fatalf("the token %q", private.token)
	}
	get := func(host, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/", nil)
		r.Host, r.URL.Path = host, path
		w := httptest.NewRecorder()
		private.ServeHTTP(w, r)
		return w
	}
	for _, path := range []string{"", "/", "/style.css", "//", "/inbox", "/" + private.token[1:] + "/", "/" + private.token + "x/", "/x/" + private.token + "/", "/" + strings.ToUpper(private.token) + "/"} {
		if w := get("localhost:1", path); w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "<") {
			t.Errorf("%q: %d %s", path, w.Code, w.Body)
		}
	}
	for _, host := range []string{"localhost", "LOCALHOST:99", "127.0.0.1", "127.0.0.1:8080", "127.8.9.10", "[::1]:80", "[::1]"} {
		if w := get(host, private.Path()); w.Code != http.StatusOK {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
	for _, host := range []string{"", "evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "192.168.0.1:80", "0.0.0.0", "[::]:80", "x.localhost", "localhost:1:2", "[fe80::1%lo]:1"} {
		for _, path := range everything {
			if w := get(host, private.Path()+path); w.Code != http.StatusForbidden {
				t.Errorf("%s: %d", host, w.Code)
			}
		}
	}
	if w := get("localhost", "/"+private.token); w.Code != http.StatusFound || w.Header().Get("Location") != private.Path() {
		t.Errorf("without its slash: %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := get("localhost", private.Path()+"a/b"); w.Code != http.StatusNotFound {
		t.Errorf("deeper: %d", w.Code)
	}
	for _, asked := range g.asked {
		if !strings.HasPrefix(asked, "GET ") {
			t.Errorf("the gateway was asked for %s", asked)
		}
	}
}

// TestHeaders checks that each response has the headers that isolate the page,
// and that none lets another origin read it.
func TestHeaders(t *testing.T) {
	g := &gateway{deliveries: []delivery{one()}, follow: func(http.ResponseWriter, *http.Request) {}}
	check := func(what string, h http.Header) {
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
			"Referrer-Policy":         "no-referrer",
			"Cache-Control":           "no-store",
			"X-Content-Type-Options":  "nosniff",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", what, name, got)
			}
		}
		for name := range h {
			if strings.HasPrefix(name, "Access-Control-") || name == "Set-Cookie" {
				t.Errorf("%s: %s is set", what, name)
			}
		}
	}
	for _, path := range everything {
		check(path, g.get(path).Header())
	}
	for button := range actions {
		check(button, g.press(button, url.Values{"number": {"7"}}).Header())
		check(button, g.press(button, nil, "Origin", "http://evil.example").Header())
	}
	private := NewPrivate(g.page())
	for _, host := range []string{"localhost", "evil.example"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "http://"+host+"/", nil)
		private.ServeHTTP(w, r)
		check(host, w.Header())
	}
}

// TestOrigins checks that requests that another site makes a browser send have
// no effect and reveal nothing, whatever the method and the address.
func TestOrigins(t *testing.T) {
	g := &gateway{deliveries: []delivery{one()}, follow: func(http.ResponseWriter, *http.Request) {}}
	foreign := [][]string{
		{"Sec-Fetch-Site", "cross-site"},
		{"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "None"},
		{"Origin", "null"},
		{"Origin", "http://evil.example"},
		{"Origin", "http://localhost:81"},
		{"Origin", "http://localhost.evil.example"},
		{"Origin", "http://localhost@evil.example"},
		{"Origin", "http://localhost/"},
		{"Origin", "ftp://localhost"},
		{"Origin", "localhost"},
		{"Origin", ""},
		{"Origin", "https://localhost:80", "Sec-Fetch-Site", "cross-site"},
	}
	for _, headers := range foreign {
		for button := range actions {
			if w := g.press(button, url.Values{"number": {"7"}, "provider": {"a"}, "id": {"1"}}, headers...); w.Code != http.StatusForbidden {
				t.Errorf("%s with %q: %d", button, headers, w.Code)
			}
		}
		for _, path := range everything {
			r := httptest.NewRequest(http.MethodGet, "http://localhost/"+path, nil)
			for i := 0; i < len(headers); i += 2 {
				r.Header.Set(headers[i], headers[i+1])
			}
			w := httptest.NewRecorder()
			g.page().ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || strings.Contains(w.Body.String(), "stripe") {
				t.Errorf("%s with %q: %d %s", path, headers, w.Code, w.Body)
			}
		}
	}
	if len(g.asked) != 0 {
		t.Errorf("the gateway was asked: %q", g.asked)
	}
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "same-origin", "Origin", "http://localhost"},
		{"Sec-Fetch-Site", "none"},
		{"Origin", "http://LOCALHOST:80"},
		{"Origin", "https://localhost"}, // a proxy before the gateway ends TLS
	} {
		if w := g.press("erase", url.Values{"number": {"7"}}, headers...); w.Code != http.StatusOK {
			t.Errorf("%q: %d %s", headers, w.Code, w.Body)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "https://localhost/", nil)
	r.TLS = &tls.ConnectionState{}
	r.Header.Set("Origin", "http://localhost")
	if checkOrigin(r) == "" {
		t.Error("a plain origin is let into a page over TLS")
	}
}

// TestMethods checks that pages allow only reading, and buttons only pressing.
func TestMethods(t *testing.T) {
	g := &gateway{}
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions, "TRACE", "POST"} {
		for _, path := range []string{"", "7", "inbox", "style.css", "headers.txt"} {
			w := httptest.NewRecorder()
			g.page().ServeHTTP(w, httptest.NewRequest(method, "http://localhost/"+path, nil))
			if w.Code != http.StatusMethodNotAllowed && (method != http.MethodPost || w.Code != http.StatusNotFound) {
				t.Errorf("%s %s: %d", method, path, w.Code)
			}
		}
	}
	for button := range actions { // GET must not press one
		if w := g.get(button + "?number=7&provider=a&id=1"); w.Code != http.StatusNotFound {
			t.Errorf("GET %s: %d", button, w.Code)
		}
	}
	if len(g.asked) != 0 {
		t.Errorf("the gateway was asked: %q", g.asked)
	}
}

// TestNoInline checks that no template has content that the policy would block,
// or a link to another site.
func TestNoInline(t *testing.T) {
	names, err := assets.ReadDir("assets")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range names {
		content, err := assets.ReadFile("assets/" + file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []string{"<script>", " style=", " onclick", " onload", "javascript:", "https://", "innerHTML", "insertAdjacentHTML", "eval("} {
			text := strings.ReplaceAll(string(content), `known.innerHTML !== row.innerHTML`, "") // it only compares
			text = strings.ReplaceAll(text, "https://your.address", "")
			if strings.Contains(text, wrong) {
				t.Errorf("%s has %q", file.Name(), wrong)
			}
		}
	}
	if !slices.ContainsFunc(names, func(f fs.DirEntry) bool { return f.Name() == "list.html" }) {
		t.Error("list.html is not among the files")
	}
}
