package module

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// nothing is a response writer without a connection.
type nothing struct{ header http.Header }

func (n *nothing) Header() http.Header         { return n.header }
func (n *nothing) Write(p []byte) (int, error) { return len(p), nil }
func (n *nothing) WriteHeader(int)             {}

// BenchmarkServe is the handler's own work, without a connection and an
// application: with a history of which no delivery is new, or without one.
func BenchmarkServe(b *testing.B) {
	body := `{"event":"bench","x":"` + strings.Repeat("x", 2000) + `"}`
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
		return err
	})
	for name, c := range map[string]struct {
		store  string
		header http.Header
	}{
		"accepted":   {`{"store":"none"}`, craneops(body)},
		"duplicate":  {`{"store":"memory"}`, craneops(body)},
		"mismatch":   {`{"store":"none"}`, craneops("other")},
		"no headers": {`{"store":"none"}`, http.Header{}},
	} {
		b.Run(name, func(b *testing.B) {
			ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
			if err != nil {
				b.Fatal(err)
			}
			h := &Handler{Scheme: "craneops", Secrets: []string{testSecret}, Provider: "bench", ReplayRaw: []byte(c.store)}
			if err := h.Provision(ctx); err != nil {
				b.Fatal(err)
			}
			h.logger = zap.NewNop()
			b.ReportAllocs()
			for b.Loop() {
				r, err := http.NewRequest(http.MethodPost, "http://bench/", strings.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				maps.Copy(r.Header, c.header)
				_ = h.ServeHTTP(&nothing{http.Header{}}, requestOf(r), next)
			}
		})
	}
}
