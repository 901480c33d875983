package module

import (
	"context"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/hooklatch/hooklatch/schemes"
)

// TestAccessLog checks that the access log has the event only once it is
// verified.
func TestAccessLog(t *testing.T) {
	h := &Handler{Provider: "acme", Scheme: "craneops"}
	for name, c := range map[string]struct {
		delivery *delivery
		want     map[string]any
	}{
		"accepted": {
			&delivery{verdict: accepted, verified: true, idText: "evt_1", facts: schemes.Event{Type: "booking.created"}},
			map[string]any{"webhook_verdict": "accepted", "webhook_id": "evt_1", "webhook_event": "booking.created"},
		},
		"without an event": {
			&delivery{verdict: accepted, verified: true, idText: "evt_1"},
			map[string]any{"webhook_verdict": "accepted", "webhook_id": "evt_1"},
		},
		"forged": {
			&delivery{verdict: rejected, reason: schemes.SignatureMismatch, facts: schemes.Event{Type: "booking.created"}},
			map[string]any{"webhook_verdict": "rejected", "webhook_reason": "signature_mismatch"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.delivery.handler = h
			c.want["webhook_provider"], c.want["webhook_scheme"] = "acme", "craneops"
			got := zapcore.NewMapObjectEncoder()
			for _, field := range c.delivery.logFields() {
				field.AddTo(got)
			}
			if !maps.Equal(got.Fields, c.want) {
				t.Errorf("%v, want %v", got.Fields, c.want)
			}
		})
	}
}

// serve passes a delivery to the handler under a context.
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

// TestNoSpanWithoutOne checks that there is no span without a parent span that
// is recorded.
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

func TestSampler(t *testing.T) {
	var s sampler
	allowed := func(key sampleKey, n int, at time.Time) (written int) {
		for range n {
			if s.allows(key, at) {
				written++
			}
		}
		return written
	}
	flooded, quiet := sampleKey{"a", "forged"}, sampleKey{"b", "forged"}
	for _, step := range []struct {
		name string
		key  sampleKey
		n    int
		at   time.Time
		want int
	}{
		{"the first ten and one of a thousand", flooded, 3000, testTime, 12},
		{"another label has its own", quiet, 10, testTime, 10},
		{"and another message", sampleKey{"a", "stale"}, 10, testTime, 10},
		{"the same second goes on", flooded, 5, testTime.Add(999 * time.Millisecond), 0},
		{"the next second begins anew", flooded, 11, testTime.Add(time.Second), 10},
		{"so does a clock that was set back", flooded, 11, testTime.Add(-time.Hour), 10},
	} {
		if got := allowed(step.key, step.n, step.at); got != step.want {
			t.Errorf("%s: %d of %d are written, want %d", step.name, got, step.n, step.want)
		}
	}
}

// TestSamplerIsBounded checks that keys beyond the limit are counted together,
// and that the first ones keep their own count.
func TestSamplerIsBounded(t *testing.T) {
	var s sampler
	first := sampleKey{"first", ""}
	s.allows(first, testTime)
	written := 0
	for n := range 3 * maxSampleKeys {
		if s.allows(sampleKey{strconv.Itoa(n), ""}, testTime) {
			written++
		}
	}
	if len(s.counted) > maxSampleKeys+1 {
		t.Errorf("%d keys are counted apart", len(s.counted))
	}
	if most := maxSampleKeys + sampleFirst + 2*maxSampleKeys/sampleThereafter + 1; written > most {
		t.Errorf("%d entries are written, want at most %d", written, most)
	}
	if !s.allows(first, testTime) {
		t.Error("a key that was there first has no count of its own")
	}
}

// TestHandlersShareTheSampler checks that handlers share one sampler, and that
// a flood under one label does not silence another.
func TestHandlersShareTheSampler(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	logger := zap.New(core, zap.WithClock(stopped{}))
	one, same := sampled(logger, "sampler-1"), sampled(logger, "sampler-1").With(zap.Int("n", 1))
	other := sampled(logger, "sampler-2")
	for range 20 {
		one.Info("message")
		same.Info("message")
		other.Debug("message") // not enabled, so it is not counted
	}
	if logs.Len() != sampleFirst {
		t.Errorf("%d entries of one label are written, want %d", logs.Len(), sampleFirst)
	}
	other.Info("message")
	if logs.Len() != sampleFirst+1 {
		t.Error("the entry of the other label is not written")
	}
}

// stopped is a clock that stands still.
type stopped struct{ zapcore.Clock }

func (stopped) Now() time.Time { return testTime }
