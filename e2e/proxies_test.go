package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// resetting is an upstream that reads the beginning of a request and resets the
// connection.
func resetting(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 2048))
			_ = conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}()
	return listener.Addr().String()
}

// mixing lists the ways in which anyone can make Caddy send the bytes of one
// request in another: the options of the reverse_proxy, and the request.
var mixing = map[string]struct{ options, request string }{
	"POST":              {"lb_retry_match {\nmethod POST\n}\nrequest_buffers 64KiB", "POST /upload HTTP/1.1\r\nHost: e2e\r\nConnection: close\r\nContent-Length: 80000\r\n\r\n" + strings.Repeat("#", 80000)},
	"GET with a body":   {"request_buffers 64KiB", "GET /upload HTTP/1.1\r\nHost: e2e\r\nConnection: close\r\nContent-Length: 80000\r\n\r\n" + strings.Repeat("#", 80000)},
	"a malformed chunk": {"lb_retry_match {\nmethod POST\n}\nrequest_buffers unlimited", "POST /upload HTTP/1.1\r\nHost: e2e\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n13880\r\n" + strings.Repeat("#", 80000) + "\r\nzz\r\n"},
}

// TestCaddyMixesBodies shows the bug that docs/caddy-buffer-fault.md describes,
// without verify_webhook: a request of another sender arrives with bytes that
// it was not sent with. The test ends with the first such request.
func TestCaddyMixesBodies(t *testing.T) {
	t.Parallel()
	// About one in twenty was mixed on two processors.
	const enough = 10_000
	for name, how := range mixing {
		t.Run(name, func(t *testing.T) {
			var arrived, mixed atomic.Int64
			app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				arrived.Add(1)
				if sent := r.URL.Query().Get("letter"); err == nil && bytes.Count(body, []byte(sent)) != len(body) {
					mixed.Add(1)
				}
			}))
			t.Cleanup(app.Close)
			g := harness.Start(t, harness.BareSite(
				harness.Route("/upload", "reverse_proxy "+resetting(t)+" {\nlb_retries 2\n"+how.options+"\n}"),
				harness.Route("/other", "reverse_proxy "+strings.TrimPrefix(app.URL, "http://")+" {\nrequest_buffers 8MiB\n}"),
			), "E2E_LOG_LEVEL=INFO")
			over := func() bool { return mixed.Load() > 0 || arrived.Load() >= enough || t.Context().Err() != nil }
			var senders sync.WaitGroup
			for range 8 {
				senders.Go(func() {
					for !over() {
						conn, err := net.Dial("tcp", g.Addr)
						if err != nil {
							continue
						}
						// It may be answered before it has been sent
						// completely.
						_, _ = io.WriteString(conn, how.request)
						_, _ = io.Copy(io.Discard, conn)
						conn.Close()
					}
				})
			}
			for n := range 6 {
				senders.Go(func() {
					letter := string(rune('a' + n))
					for !over() {
						answer, err := http.Post(fmt.Sprintf("http://%s/other?letter=%s", g.Addr, letter), "", strings.NewReader(strings.Repeat(letter, 100_000)))
						if err == nil {
							_, _ = io.Copy(io.Discard, answer.Body)
							answer.Body.Close()
						}
					}
				})
			}
			senders.Wait()
			t.Logf("%d of %d bodies were mixed", mixed.Load(), arrived.Load())
			if mixed.Load() == 0 {
				t.Error("Caddy no longer mixes bodies in this way. If go.mod requires this Caddy, take out this test, mixesBodies and its use in module/proxies.go, docs/caddy-buffer-fault.md and what links to it")
			}
		})
	}
}

// TestRefusedProxies: a configuration whose proxies do not pass deliveries
// whole does not start, and a reload with it leaves the old one and its history
// in place.
func TestRefusedProxies(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	good := harness.Hook("/craneops", "craneops", app.Addr)
	mixer := harness.Route("/upload", "reverse_proxy 127.0.0.1:9 {\nlb_retries 2\nrequest_buffers 64KiB\n}")
	refused := map[string]struct {
		site   string
		saying []string
	}{
		"cannot send again": {
			harness.OpenSite(harness.Route("/craneops", harness.Verify("craneops", "CRANEOPS_SECRET"), "php_fastcgi "+app.Addr+" {\nlb_retries 2\nlb_retry_match {\nmethod POST\n}\n}")),
			[]string{"the reverse_proxy to " + app.Addr, "/craneops*", "tries POST again", "take lb_retry_match out", "write request_buffers above max_body"},
		},
		"mixes deliveries": {
			harness.OpenSite(mixer, harness.Route("/craneops", harness.Verify("craneops", "CRANEOPS_SECRET"), "php_fastcgi "+app.Addr)),
			[]string{"the reverse_proxy to 127.0.0.1:9", "/upload*", "the reverse_proxy to " + app.Addr, "/craneops*", "take request_buffers"},
		},
	}
	for name, c := range refused {
		t.Run("start "+name, func(t *testing.T) {
			t.Parallel()
			g := harness.Launch(t, harness.Binary(t), c.site, harness.Secrets())
			if g.Ready(t) {
				t.Fatal("it was loaded")
			}
			for _, part := range c.saying {
				if !strings.Contains(g.Log.String(), part) {
					t.Errorf("nothing says %q:\n%s", part, harness.LastLines(g.Log.String()))
				}
			}
		})
	}
	t.Run("reload", func(t *testing.T) {
		t.Parallel()
		g := harness.Start(t, harness.OpenSite(good), harness.Secrets()...)
		g.Send(t, harness.CraneOps(`{}`)).Accepted(t)
		for name, c := range refused {
			said, err := g.Reload(t, c.site)
			if err == nil {
				t.Fatalf("%s was loaded", name)
			}
			for _, part := range c.saying {
				if !strings.Contains(said, part) {
					t.Errorf("%s: %q\ndoes not say %q", name, said, part)
				}
			}
			g.SendAfterReload(t, harness.CraneOps(`{}`)).Duplicate(t)
			g.Send(t, harness.CraneOps(`{"after":"`+name+`"}`)).Accepted(t)
		}
		app.Saw(t, 1+len(refused))
	})
	t.Run("warning", func(t *testing.T) {
		t.Parallel()
		g := harness.Start(t, harness.OpenSite(mixer, good), harness.Secrets()...)
		g.Log.Await(t, "the warning", func(e harness.Entry) bool {
			return strings.HasPrefix(e.Text("msg"), "a reverse_proxy with request_buffers and retries can send the bytes") &&
				e.Text("level") == "warn" && strings.Contains(e.Text("proxy"), "/upload*") && strings.HasPrefix(e.Text("caddy"), "v2.")
		})
	})
}
