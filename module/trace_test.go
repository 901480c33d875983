package module

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// serve hands a delivery to the handler under a context.
func (g *gateway) serve(t *testing.T, ctx context.Context, h http.Header, body string, next caddyhttp.HandlerFunc) {
	t.Helper()
	r := requestOf(g.request(t, h, strings.NewReader(body)).WithContext(ctx))
	_ = g.handler.ServeHTTP(&nothing{http.Header{}}, r, next)
}

func answer204(w http.ResponseWriter, _ *http.Request) error {
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func TestSpan(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		want   map[string]string
	}{
		"accepted":  {craneops(body), map[string]string{"webhook.verdict": "accepted"}},
		"forged":    {craneops("other"), map[string]string{"webhook.verdict": "rejected", "webhook.reason": "signature_mismatch"}},
		"no header": {http.Header{}, map[string]string{"webhook.verdict": "rejected", "webhook.reason": "missing_signature"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, nil, nil)
			exporter := tracetest.NewInMemoryExporter()
			provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter))
			ctx, parent := provider.Tracer("test").Start(context.Background(), "request")
			g.serve(t, ctx, c.header, body, func(w http.ResponseWriter, r *http.Request) error {
				if len(exporter.GetSpans()) != 1 {
					t.Error("the span goes on while the application works")
				}
				if inner := trace.SpanFromContext(r.Context()); inner != parent {
					t.Errorf("the application is in the span %v", inner)
				}
				return answer204(w, r)
			})
			spans := exporter.GetSpans()
			if len(spans) != 1 || spans[0].Name != "verify_webhook" || spans[0].Parent.SpanID() != parent.SpanContext().SpanID() {
				t.Fatalf("spans %+v", spans)
			}
			got := map[string]string{}
			for _, attribute := range spans[0].Attributes {
				got[string(attribute.Key)] = attribute.Value.AsString()
			}
			c.want["webhook.provider"] = g.handler.Provider
			if c.want["webhook.verdict"] == "accepted" {
				c.want["webhook.id"] = "sha256-" + strings.TrimPrefix(got["webhook.id"], "sha256-")
			}
			if !maps.Equal(got, c.want) {
				t.Errorf("attributes %v, want %v", got, c.want)
			}
		})
	}
}

// TestNoSpanWithoutOne: there is nothing to be a child of, or it is not
// recorded.
func TestNoSpanWithoutOne(t *testing.T) {
	g := newGateway(t, nil, nil)
	exporter := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(exporter), sdk.WithSampler(sdk.NeverSample()))
	unsampled, _ := provider.Tracer("test").Start(context.Background(), "request")
	for _, ctx := range []context.Context{context.Background(), unsampled} {
		g.serve(t, ctx, craneops(body), body, answer204)
		if startSpan(ctx) != nil {
			t.Error("a span began")
		}
	}
	if spans := exporter.GetSpans(); len(spans) != 0 {
		t.Errorf("spans %v", spans)
	}
}
