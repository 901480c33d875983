package module

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"
)

// attempt sends a body as a proxy does, to an upstream of its own.
func attempt(ctx context.Context, t *testing.T, b *replayedBody, upstream http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(upstream)
	defer server.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, b)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = b.size()
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(r)
	if err == nil {
		res.Body.Close()
	}
	return err
}

// TestEveryAttemptSendsTheWholeBody is a proxy whose first upstreams fail in
// several ways, while their transports may still be sending.
func TestEveryAttemptSendsTheWholeBody(t *testing.T) {
	const size = 4 << 20
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i * 7 >> 8)
	}
	failing := map[string]http.HandlerFunc{
		"answers before it reads": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, "busy")
		},
		"reads half and hangs up": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, size/2)
			panic(http.ErrAbortHandler)
		},
		"reads nothing and hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	for name, fail := range failing {
		t.Run(name, func(t *testing.T) {
			for range 10 {
				b := newReplayedBody(body)
				ctx := b.lend(context.Background())
				_ = attempt(ctx, t, b, fail)
				_ = attempt(ctx, t, b, fail)
				var got []byte
				if err := attempt(ctx, t, b, func(_ http.ResponseWriter, r *http.Request) { got, _ = io.ReadAll(r.Body) }); err != nil {
					t.Fatal(err)
				}
				if string(got) != string(body) {
					t.Fatalf("%d of %d bytes, or others than were signed", len(got), size)
				}
				b.end()
			}
		})
	}
}

// TestNoHalfBodyWithoutAnAnnouncement is a transport that has no trace, as
// FastCGI has none.
func TestNoHalfBodyWithoutAnAnnouncement(t *testing.T) {
	b := newReplayedBody([]byte("abcdef"))
	b.lend(context.Background())
	if first, err := io.ReadAll(b); err != nil || string(first) != "abcdef" {
		t.Fatalf("%q %v", first, err)
	}
	b.Close()
	if second, err := io.ReadAll(b); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a second attempt read %q: %v", second, err)
	}
}

// TestAttemptThatNeverEnds must not share its bytes with the next one.
func TestAttemptThatNeverEnds(t *testing.T) {
	b := newReplayedBody([]byte("abcdef"))
	trace := httptrace.ContextClientTrace(b.lend(context.Background()))
	trace.GetConn("")
	trace.WroteHeaders()
	began := time.Now()
	trace.GetConn("") // it is not over
	if waited := time.Since(began); waited < lastAttempt {
		t.Errorf("waited %v", waited)
	}
	if got, err := io.ReadAll(b); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("read %q: %v", got, err)
	}
}

// TestBufferOfABodyThatIsStillSent is not given to the next sender.
func TestBufferOfABodyThatIsStillSent(t *testing.T) {
	mark := strings.Repeat("A", 5000)
	for name, c := range map[string]struct {
		use    func(b *replayedBody, trace *httptrace.ClientTrace)
		reused bool
	}{
		"never lent": {func(*replayedBody, *httptrace.ClientTrace) {}, true},
		"being sent": {func(b *replayedBody, trace *httptrace.ClientTrace) { trace.GetConn(""); trace.WroteHeaders() }, false},
		"half read":  {func(b *replayedBody, _ *httptrace.ClientTrace) { _, _ = b.Read(make([]byte, 10)) }, false},
		"read":       {func(b *replayedBody, _ *httptrace.ClientTrace) { _, _ = io.ReadAll(b) }, true},
		"sent, closed": {func(b *replayedBody, trace *httptrace.ClientTrace) {
			trace.WroteHeaders()
			trace.WroteRequest(httptrace.WroteRequestInfo{})
			b.Close()
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newReplayedBody(append(getBuffer(len(mark)), mark...))
			if name != "never lent" {
				c.use(b, httptrace.ContextClientTrace(b.lend(context.Background())))
			}
			b.end()
			if b.ended != c.reused {
				t.Errorf("given back: %v", b.ended)
			}
			if rest, err := io.ReadAll(b); c.reused && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("a late reader got %q, %v", rest, err)
			}
		})
	}
}

// TestBodiesNeverMix sends many deliveries at once through pooled buffers.
func TestBodiesNeverMix(t *testing.T) {
	g := newGateway(t, map[string]any{"replay": map[string]any{"store": "none"}}, nil)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 40 {
				body := strings.Repeat(string(rune('a'+i)), 3000+n*997)
				a, err := g.try(g.request(t, craneops(body), strings.NewReader(body)))
				if err != nil || a.status != http.StatusNoContent {
					t.Errorf("%d %v", a.status, err)
				}
			}
		})
	}
	group.Wait()
	for _, got := range g.delivered() {
		if strings.Trim(got.body, got.body[:1]) != "" {
			t.Fatalf("bodies mixed: %.100q", got.body)
		}
	}
}
