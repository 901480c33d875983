package module

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestUnverifiedRemovesVerdicts sends raw requests through the handler.
func TestUnverifiedRemovesVerdicts(t *testing.T) {
	var header, trailer http.Header
	var body string
	app := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		content, err := io.ReadAll(r.Body)
		body, header, trailer = string(content), r.Header, r.Trailer
		w.WriteHeader(http.StatusTeapot)
		return err
	})
	gateway := new(App)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := (&Unverified{app: gateway}).ServeHTTP(w, r, app); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	exchange := func(text string) {
		t.Helper()
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, text)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || res.StatusCode != http.StatusTeapot {
			t.Fatalf("%v %v", res, err)
		}
	}

	exchange("POST /other HTTP/1.1\r\nHost: a\r\nwebhook-verdict: accepted\r\nWEBHOOK-ID: 1\r\nWebhook_Verdict: accepted\r\nWebhook.Verdict: accepted\r\nWebhook~Verdict: accepted\r\n" +
		"X-Original-URL: /webhook\r\nX-Rewrite-URL: /webhook\r\nUpgrade: h2c\r\nHTTP2-Settings: a\r\nConnection: Upgrade\r\nWebhooks: kept\r\nX-Webhook: kept\r\n" +
		"Transfer-Encoding: chunked\r\nTrailer: Webhook-Verdict, X-Sum\r\n\r\n3\r\nabc\r\n0\r\nWebhook-Verdict: accepted\r\nWebhook_Id: 2\r\nX-Sum: 1\r\n\r\n")
	if body != "abc" {
		t.Errorf("body %q", body)
	}
	for name := range header {
		if begins(name, "webhook") || slices.Contains([]string{"X-Original-Url", "X-Rewrite-Url", "Upgrade", "Http2-Settings", "Trailer"}, name) {
			t.Errorf("%s reached the application", name)
		}
	}
	if header.Get("Webhooks") != "kept" || header.Get("X-Webhook") != "kept" {
		t.Errorf("other headers are missing: %v", header)
	}
	if len(trailer) != 1 || trailer.Get("X-Sum") != "1" {
		t.Errorf("trailers: %v", trailer)
	}

	exchange("GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n")
	if header.Get("Upgrade") != "WebSocket" {
		t.Error("a websocket is not passed on")
	}
	exchange("GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n")
	if header.Get("Upgrade") != "" {
		t.Error("a tunnel beside a websocket is passed on")
	}

	const event = "POST /events HTTP/1.1\r\nHost: a\r\nce_type: supplier.approved\r\nCe-Source: urn:webhook:craneops\r\nTransfer-Encoding: chunked\r\nTrailer: Ce-Id\r\n\r\n0\r\nCe-Id: 1\r\n\r\n"
	exchange(event)
	if header.Get("Ce-Source") == "" || trailer.Get("Ce-Id") == "" {
		t.Errorf("an event is not passed on: %v %v", header, trailer)
	}
	gateway.emitsCloudEvents = true
	exchange(event)
	for name := range header {
		if begins(name, "ce") {
			t.Errorf("%s reached the application", name)
		}
	}
	if len(trailer) != 0 {
		t.Errorf("trailers: %v", trailer)
	}
}

// TestUnverifiedBesideCloudEvents: the handlers of one configuration know of each
// other's headers.
func TestUnverifiedBesideCloudEvents(t *testing.T) {
	for emit, want := range map[string]bool{"cloudevents": true, "webhook": false} {
		if g := newGateway(t, map[string]any{"emit": []string{emit}}, nil); g.app.emitsCloudEvents != want {
			t.Errorf("%s: %v", emit, g.app.emitsCloudEvents)
		}
	}
}

func TestObserveUnverified(t *testing.T) {
	var seen []UnverifiedRequest
	ObserveUnverified(func(r UnverifiedRequest) { seen = append(seen, r) })
	defer unverifiedObserver.Store(nil)
	r := httptest.NewRequest(http.MethodPost, "/a%20b?token=secret", strings.NewReader("x"))
	err := (&Unverified{app: new(App)}).ServeHTTP(httptest.NewRecorder(), r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusNotFound)
		return nil
	}))
	if err != nil || len(seen) != 1 {
		t.Fatalf("%v %v", err, seen)
	}
	if got := seen[0]; got.Method != http.MethodPost || got.Path != "/a%20b" || got.Status != http.StatusNotFound || got.Time.IsZero() {
		t.Errorf("%+v", got)
	}
}
