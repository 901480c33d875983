package module

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// nothing is a response writer without a connection.
type nothing struct{ header http.Header }

func (n *nothing) Header() http.Header         { return n.header }
func (n *nothing) Write(p []byte) (int, error) { return len(p), nil }
func (n *nothing) WriteHeader(int)             {}

var benchBody = `{"event":"bench","x":"` + strings.Repeat("x", 2000) + `"}`

// BenchmarkServe measures the handler's own work, without a connection and with
// an application that only reads the body. With a history, every delivery is a
// duplicate; accepted ones have none.
func BenchmarkServe(b *testing.B) {
	for name, c := range map[string]struct {
		store  string
		header http.Header
	}{
		"accepted":   {`{"store":"none"}`, craneops(benchBody)},
		"duplicate":  {`{"store":"memory"}`, craneops(benchBody)},
		"mismatch":   {`{"store":"none"}`, craneops("other")},
		"no headers": {`{"store":"none"}`, http.Header{}},
	} {
		b.Run(name, func(b *testing.B) {
			serve := serving(b, c.store, c.header)
			b.ReportAllocs()
			for b.Loop() {
				serve()
			}
		})
	}
}

// serving returns a function that sends a delivery through a handler.
func serving(b *testing.B, store string, header http.Header) func() {
	b.Helper()
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		b.Fatal(err)
	}
	h := &Handler{Scheme: "craneops", Secrets: []string{testSecret}, Provider: "bench", ReplayRaw: []byte(store)}
	if err := h.Provision(ctx); err != nil {
		b.Fatal(err)
	}
	h.logger = zap.NewNop()
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
		return err
	})
	return func() {
		r, err := http.NewRequest(http.MethodPost, "http://bench/", strings.NewReader(benchBody))
		if err != nil {
			b.Fatal(err)
		}
		maps.Copy(r.Header, header)
		_ = h.ServeHTTP(&nothing{http.Header{}}, requestOf(r), next)
	}
}

// BenchmarkServeNew measures a new delivery through a server of Caddy to an
// application that takes it, without an inbox and with one.
func BenchmarkServeNew(b *testing.B) {
	for _, with := range []string{"no inbox", "an inbox"} {
		b.Run(with, func(b *testing.B) {
			server := benchServer(b, with == "an inbox")
			b.ReportAllocs()
			for b.Loop() {
				text := fmt.Sprint(labels.Add(1)) + benchBody
				r := httptest.NewRequest(http.MethodPost, "http://bench/", strings.NewReader(text))
				maps.Copy(r.Header, craneops(text))
				server.ServeHTTP(&nothing{http.Header{}}, r)
			}
		})
	}
}

// benchServer is a server whose only route has a handler and an application.
func benchServer(b *testing.B, withInbox bool) *caddyhttp.Server {
	b.Helper()
	handler := map[string]any{"handler": "verify_webhook", "scheme": "craneops", "secrets": []string{testSecret}, "provider": "bench"}
	if withInbox {
		handler["inbox"] = map[string]any{"inbox": "test_memory", "Name": b.Name()}
	}
	applications.Store(b.Name(), func(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
		_, err := io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
		return err
	})
	b.Cleanup(func() { applications.Delete(b.Name()) })
	config := caddyconfig.JSON(map[string]any{"servers": map[string]any{"bench": map[string]any{
		"listen": []string{"127.0.0.1:0"},
		"routes": []any{map[string]any{"handle": []any{
			handler,
			map[string]any{"handler": "verify_webhook_test_application", "name": b.Name()},
		}}},
	}}}, nil)
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}, AppsRaw: caddy.ModuleMap{"http": config}})
	if err != nil {
		b.Fatal(err)
	}
	app, err := ctx.App("http")
	if err != nil {
		b.Fatal(err)
	}
	return app.(*caddyhttp.App).Servers["bench"]
}
