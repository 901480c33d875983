package bodies

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// bodyOf returns a body that has arrived.
func bodyOf(bytes []byte) *Retryable {
	b := &Retryable{Buffer: Buffer{pooled: &pooledBuffer{bytes}}}
	b.Arrived()
	return b
}

// lend lends a body to handlers without a proxy.
func lend(ctx context.Context, b *Retryable) context.Context {
	return b.Lend(ctx, func() any { return nil }, nil)
}

// dial calls the trace as a dial of the handler that reads the body does.
func dial(b *Retryable) {
	_ = b.Serve(func() error {
		b.dialing()
		return nil
	})
}

// attempt sends a body as a proxy does, to an upstream of its own.
func attempt(ctx context.Context, t *testing.T, b *Retryable, upstream http.HandlerFunc) error {
	t.Helper()
	server := httptest.NewServer(upstream)
	defer server.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, b)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = b.Size()
	transport := &http.Transport{DisableKeepAlives: true}
	res, err := transport.RoundTrip(r)
	if err == nil {
		res.Body.Close()
	}
	return err
}

// TestEveryAttemptSendsTheWholeBody uses a proxy whose first upstreams fail in
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
				b := bodyOf(body)
				ctx := lend(context.Background(), b)
				_ = attempt(ctx, t, b, fail)
				_ = attempt(ctx, t, b, fail)
				var got []byte
				if err := attempt(ctx, t, b, func(_ http.ResponseWriter, r *http.Request) { got, _ = io.ReadAll(r.Body) }); err != nil {
					t.Fatal(err)
				}
				if string(got) != string(body) {
					t.Fatalf("%d of %d bytes, or others than were signed", len(got), size)
				}
				b.End()
			}
		})
	}
}

// TestEveryReaderBeginsAtTheFirstByte uses readers that announce nothing, one
// after the other.
func TestEveryReaderBeginsAtTheFirstByte(t *testing.T) {
	for name, between := range map[string]func(b *Retryable){
		"closed":     func(b *Retryable) { b.Close() },
		"not closed": func(*Retryable) {},
		"closed before its end": func(b *Retryable) {
			_ = b.Serve(func() error {
				_, _ = b.Read(make([]byte, 3))
				return b.Close()
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := bodyOf([]byte("abcdef"))
			lend(context.Background(), b)
			if first, err := io.ReadAll(b); err != nil || string(first) != "abcdef" {
				t.Fatalf("%q %v", first, err)
			}
			between(b)
			if second, err := io.ReadAll(b); err != nil || string(second) != "abcdef" || b.Fault() != "" {
				t.Errorf("a second reader got %q: %v %s", second, err, b.Fault())
			}
		})
	}
}

// TestReaderAfterAProxyThatFailed checks that a read after an unannounced proxy
// has failed in the middle and returned belongs to another reader.
func TestReaderAfterAProxyThatFailed(t *testing.T) {
	returned := 0
	b := bodyOf([]byte("0123456789"))
	b.Lend(t.Context(), func() any { return returned }, nil)
	_, _ = b.Read(make([]byte, 2)) // the part that the proxy buffers
	dial(b)
	_, _ = b.Read(make([]byte, 4))
	returned++
	if got, err := io.ReadAll(b); err != nil || string(got) != "0123456789" || b.Fault() != "" {
		t.Errorf("%q %v %s", got, err, b.Fault())
	}
}

// TestSecondAttemptWithoutAnAnnouncement checks a second attempt as FastCGI
// makes it, which would send only the rest of the body.
func TestSecondAttemptWithoutAnAnnouncement(t *testing.T) {
	t.Run("after the beginning", func(t *testing.T) {
		b := bodyOf([]byte("0123456789"))
		stopped := false
		b.Lend(t.Context(), func() any { return nil }, func() { stopped = true })
		_, _ = b.Read(make([]byte, 2))
		dial(b)
		_, _ = b.Read(make([]byte, 4))
		dial(b)
		if got, err := io.ReadAll(b); !errors.Is(err, errInUse) || len(got) > 0 || b.Fault() != faultDialed || !stopped {
			t.Errorf("%q %v %q, stopped %v", got, err, b.Fault(), stopped)
		}
	})
	t.Run("after the end", func(t *testing.T) {
		b := bodyOf([]byte("0123456789"))
		lend(t.Context(), b)
		dial(b)
		_, _ = io.ReadAll(b)
		dial(b) // the proxy's own reader remembers the end
		if b.Fault() != faultDialed {
			t.Errorf("%q", b.Fault())
		}
		if got, err := io.ReadAll(b); err != nil || string(got) != "0123456789" || b.Fault() != "" {
			t.Errorf("another reader got %q %v %q", got, err, b.Fault())
		}
	})
	t.Run("of a copy", func(t *testing.T) {
		b := bodyOf([]byte("0123456789"))
		lend(t.Context(), b)
		_, _ = io.ReadAll(b)
		b.Close()
		dial(b)
		dial(b)
		if b.Fault() != "" {
			t.Errorf("%q", b.Fault())
		}
	})
}

// TestBodyBehindARememberedEnd checks http.MaxBytesReader, which remembers the
// end that it has seen, so that a second reader of it gets nothing.
func TestBodyBehindARememberedEnd(t *testing.T) {
	b := bodyOf([]byte("0123456789"))
	begin, writing, written := announced(t.Context(), b)
	limited := http.MaxBytesReader(httptest.NewRecorder(), b, 100)
	begin()
	writing()
	_, _ = io.ReadAll(limited)
	limited.Close()
	written()
	if b.Fault() != "" {
		t.Fatalf("%q", b.Fault())
	}
	if got, _ := io.ReadAll(limited); len(got) > 0 {
		t.Fatalf("net/http has changed: %q", got)
	}
	_ = b.Serve(limited.Close)
	begin()
	writing()
	written()
	if b.Fault() != faultHollow {
		t.Errorf("%q", b.Fault())
	}
}

// TestLateCloseBehindARememberedEnd checks that a failed attempt may close the
// body in the middle of the next attempt, which still has the whole body.
func TestLateCloseBehindARememberedEnd(t *testing.T) {
	b := bodyOf([]byte("0123456789"))
	begin, writing, written := announced(t.Context(), b)
	limited := http.MaxBytesReader(httptest.NewRecorder(), b, 100)
	begin()
	writing()
	_, _ = limited.Read(make([]byte, 4))
	written()
	begin()
	writing()
	limited.Close() // by the first attempt
	if got, err := io.ReadAll(limited); err != nil || string(got) != "0123456789" {
		t.Errorf("%q %v", got, err)
	}
	limited.Close()
	written()
	if b.Fault() != "" {
		t.Errorf("%q", b.Fault())
	}
}

// TestReaderWhileAnUpstreamStillReads checks a reader that differs from the
// transport only by its goroutine, not by its bytes.
func TestReaderWhileAnUpstreamStillReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bodyOf([]byte("0123456789"))
		begin, writing, written := announced(t.Context(), b)
		begin()
		writing()
		_, _ = b.Read(make([]byte, 4))
		b.answering()
		if _, err := b.Read(make([]byte, 2)); err != nil {
			t.Fatalf("the transport's own read: %v", err)
		}
		go func() {
			time.Sleep(lastAttempt / 2)
			written()
		}()
		_ = b.Serve(func() error {
			if got, err := io.ReadAll(b); err != nil || string(got) != "0123456789" {
				t.Errorf("%q %v", got, err)
			}
			return nil
		})

		// The same with an attempt that does not end.
		begin()
		writing()
		b.answering()
		_ = b.Serve(func() error {
			if got, err := io.ReadAll(b); !errors.Is(err, errInUse) || len(got) > 0 {
				t.Errorf("%q %v", got, err)
			}
			return nil
		})
		if b.Fault() != faultOverlap {
			t.Errorf("%q", b.Fault())
		}
	})
}

// announced returns the trace functions by which a transport announces its
// attempts.
func announced(ctx context.Context, b *Retryable) (begin, writing, written func()) {
	trace := httptrace.ContextClientTrace(lend(ctx, b))
	return func() { trace.GotConn(httptrace.GotConnInfo{}) },
		trace.WroteHeaders,
		func() { trace.WroteRequest(httptrace.WroteRequestInfo{}) }
}

// TestAttemptThatNeverEnds checks that such an attempt does not share its bytes
// with the next one, and that the next one waits only while there is time for
// an answer.
func TestAttemptThatNeverEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := bodyOf([]byte("abcdef"))
	begin, writing, _ := announced(ctx, b)
	begin()
	writing()
	began := time.Now()
	begin() // the previous one has not ended
	if waited := time.Since(began); waited >= lastAttempt {
		t.Errorf("waited %v although the time for an answer was over", waited)
	}
	if got, err := io.ReadAll(b); !errors.Is(err, errInUse) {
		t.Errorf("read %q: %v", got, err)
	}
}

// TestLateClose closes the body for an attempt that is over, in the middle of
// the next one.
func TestLateClose(t *testing.T) {
	b := bodyOf([]byte("abcdef"))
	begin, writing, written := announced(context.Background(), b)
	begin()
	writing()
	written()
	begin()
	b.Close()
	if got, err := io.ReadAll(b); err != nil || string(got) != "abcdef" {
		t.Errorf("%q %v", got, err)
	}
	written()
	_, _ = b.Read(make([]byte, 2)) // by another reader
	b.Close()
	if got, err := io.ReadAll(b); err != nil || string(got) != "cdef" {
		t.Errorf("%q %v", got, err)
	}
}

// TestConnectionThatWasNotUsed checks a kept connection that turns out to be
// closed: the transport begins again without having written anything.
func TestConnectionThatWasNotUsed(t *testing.T) {
	b := bodyOf([]byte("abcdef"))
	begin, _, _ := announced(context.Background(), b)
	begin()
	began := time.Now()
	begin()
	if got, err := io.ReadAll(b); err != nil || string(got) != "abcdef" || time.Since(began) >= lastAttempt {
		t.Errorf("%q %v", got, err)
	}
}

// TestReadAhead checks a handler that reads the beginning of the body and puts
// it before the rest, before a transport announces anything.
func TestReadAhead(t *testing.T) {
	open := func(t *testing.T) (begin, writing, written func(), body io.Reader, rest *Retryable) {
		t.Helper()
		rest = bodyOf([]byte("0123456789"))
		begin, writing, written = announced(t.Context(), rest)
		ahead := make([]byte, 4)
		if _, err := io.ReadFull(rest, ahead); err != nil {
			t.Fatal(err)
		}
		return begin, writing, written, io.MultiReader(bytes.NewReader(ahead), rest), rest
	}
	t.Run("one attempt", func(t *testing.T) {
		begin, writing, _, body, _ := open(t)
		begin()
		writing()
		if got, err := io.ReadAll(body); err != nil || string(got) != "0123456789" {
			t.Errorf("the upstream gets %q, %v", got, err)
		}
	})
	t.Run("a connection that was not used", func(t *testing.T) {
		begin, writing, _, body, _ := open(t)
		begin()
		begin()
		writing()
		if got, err := io.ReadAll(body); err != nil || string(got) != "0123456789" {
			t.Errorf("the upstream gets %q, %v", got, err)
		}
	})
	t.Run("a second attempt", func(t *testing.T) {
		begin, writing, written, body, rest := open(t)
		begin()
		writing()
		if _, err := io.ReadFull(body, make([]byte, 6)); err != nil {
			t.Fatal(err)
		}
		written()
		begin()
		if got, err := io.ReadAll(rest); !errors.Is(err, errInUse) {
			t.Errorf("the second upstream gets %q, %v", got, err)
		}
		rest.End()
		if !rest.ended {
			t.Error("the buffer is not given back")
		}
	})
}

// TestBufferOfAnAttemptThatNeverEnds checks that the buffer counts until the
// garbage collector frees it, and no longer.
func TestBufferOfAnAttemptThatNeverEnds(t *testing.T) {
	expectNothingBuffered(t)
	func() {
		b := &Retryable{}
		if err := b.Buffer.ReadAll(strings.NewReader(strings.Repeat("x", 5000)), Limits{Declared: -1, Most: 10000, Budget: free}, io.Discard); err != nil {
			t.Fatal(err)
		}
		b.Arrived()
		ctx, cancel := context.WithCancel(t.Context())
		begin, writing, _ := announced(ctx, b)
		begin()
		writing()
		cancel()
		begin() // it gives up the previous one, which reports nothing
		b.End()
	}()
	for range 100 {
		if InUse().Bodies == 0 {
			return
		}
		runtime.GC()
		time.Sleep(time.Millisecond) // cleanups run in the background
	}
	t.Errorf("%d bytes are counted for ever", InUse().Bodies)
}

// TestBufferOfABodyThatIsStillSent checks that the buffer is not given to the
// next sender.
func TestBufferOfABodyThatIsStillSent(t *testing.T) {
	mark := strings.Repeat("A", 5000)
	for name, c := range map[string]struct {
		use    func(b *Retryable, begin, writing, written func())
		reused bool
	}{
		"never used": {func(*Retryable, func(), func(), func()) {}, true},
		"begun":      {func(_ *Retryable, begin, _, _ func()) { begin() }, true},
		"being sent": {func(_ *Retryable, begin, writing, _ func()) { begin(); writing() }, false},
		"sent":       {func(_ *Retryable, begin, writing, written func()) { begin(); writing(); written() }, true},
		"half read":  {func(b *Retryable, _, _, _ func()) { _, _ = b.Read(make([]byte, 10)) }, false},
		"read":       {func(b *Retryable, _, _, _ func()) { _, _ = io.ReadAll(b) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := bodyOf([]byte(mark))
			begin, writing, written := announced(context.Background(), b)
			c.use(b, begin, writing, written)
			b.End()
			if b.ended != c.reused {
				t.Errorf("given back: %v", b.ended)
			}
			if rest, err := io.ReadAll(b); c.reused && !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("a late reader got %q, %v", rest, err)
			}
		})
	}
}

// TestBufferOfAProxyThatFoundNoUpstream checks a proxy that has read the
// beginning and has returned.
func TestBufferOfAProxyThatFoundNoUpstream(t *testing.T) {
	returned := 0
	b := bodyOf([]byte("0123456789"))
	b.Lend(t.Context(), func() any { return returned }, nil)
	_, _ = b.Read(make([]byte, 4))
	returned++
	b.End()
	if !b.ended {
		t.Error("the buffer is not given back")
	}
}

// TestUpstreamThatCannotBeReached checks a request that found no connection.
// reverse_proxy then does not pass on that the body was closed.
func TestUpstreamThatCannotBeReached(t *testing.T) {
	expectNothingBuffered(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close() // nothing listens there now
	b := &Retryable{}
	if err := b.Buffer.ReadAll(strings.NewReader("abcdef"), Limits{Declared: -1, Most: 10, Budget: free}, io.Discard); err != nil {
		t.Fatal(err)
	}
	b.Arrived()
	r, err := http.NewRequestWithContext(lend(t.Context(), b), http.MethodPost, "http://"+listener.Addr().String(), keptOpen{b})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = b.Size()
	if res, err := http.DefaultTransport.RoundTrip(r); err == nil {
		res.Body.Close()
		t.Fatal("an answer")
	}
	b.End()
	if n := InUse().Bodies; n != 0 {
		t.Errorf("%d bytes are still counted although nobody can read them", n)
	}
}

// keptOpen is a body whose Close is not passed on.
type keptOpen struct{ *Retryable }

func (keptOpen) Close() error { return nil }

// TestNextProxyBeforeTheEndIsSeen checks an upstream that answers once it has
// the declared length, so that the next proxy begins before the transport has
// seen the end.
func TestNextProxyBeforeTheEndIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bodyOf([]byte("0123456789"))
		begin, writing, written := announced(t.Context(), b)
		_, _ = b.Read(make([]byte, 4)) // the part that the first proxy buffers
		begin()
		writing()
		_, _ = b.Read(make([]byte, 6))
		b.answering()
		go func() {
			time.Sleep(lastAttempt / 2)
			_, _ = b.Read(make([]byte, 1)) // the end
			written()
		}()
		begin()
		writing()
		if got, err := io.ReadAll(b); err != nil || string(got) != "0123456789" || b.Fault() != "" {
			t.Errorf("%q %v %q", got, err, b.Fault())
		}
	})
}

// TestDialOfAnAttemptThatIsOver checks a transport that dials in the background
// and meanwhile takes another connection that becomes free. Its late dial does
// not affect the proxy that reads by then.
func TestDialOfAnAttemptThatIsOver(t *testing.T) {
	busy, free := make(chan struct{}), make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			close(busy)
			<-free
		}
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer upstream.Close()
	late, dialed := make(chan struct{}), make(chan struct{})
	dials := 0
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials == 2 { // as while a name is resolved
			close(free)
			<-late
			defer close(dialed)
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	var other sync.WaitGroup
	defer other.Wait()
	other.Go(func() {
		r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, upstream.URL, nil)
		if res, err := transport.RoundTrip(r); err != nil {
			t.Error(err)
		} else {
			res.Body.Close()
		}
	})
	<-busy

	b := bodyOf([]byte("0123456789"))
	ctx := lend(context.Background(), b)
	_ = b.Serve(func() error {
		r, _ := http.NewRequestWithContext(ctx, http.MethodPost, upstream.URL, b)
		r.ContentLength = b.Size()
		res, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()

		// Like FastCGI, it buffers the beginning, dials, and sends the rest.
		first := make([]byte, 4)
		_, _ = io.ReadFull(b, first[:2])
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", upstream.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.ReadFull(b, first[2:])
		close(late)
		<-dialed
		rest, err := io.ReadAll(b)
		if string(first)+string(rest) != "0123456789" || err != nil || b.Fault() != "" {
			t.Errorf("%q, %q %v: %s", first, rest, err, b.Fault())
		}
		return nil
	})
}

// TestLateWordOfAnAttempt checks a kept connection that turns out to be closed,
// when the goroutine that writes to it reports this only after the next attempt
// has begun.
func TestLateWordOfAnAttempt(t *testing.T) {
	t.Run("before the next one reads", func(t *testing.T) {
		b := bodyOf([]byte("0123456789"))
		begin, writing, written := announced(t.Context(), b)
		begin()
		begin()
		writing() // the first
		written()
		writing()
		if got, err := io.ReadAll(b); err != nil || string(got) != "0123456789" || b.Fault() != "" {
			t.Errorf("%q %v %s", got, err, b.Fault())
		}
		if !b.Unanswered() {
			t.Error("the attempt is no longer taken for one of a transport")
		}
	})
	t.Run("while the next one reads", func(t *testing.T) {
		b := bodyOf([]byte("0123456789"))
		begin, writing, written := announced(t.Context(), b)
		begin()
		begin()
		writing()
		first := make([]byte, 4)
		_, _ = io.ReadFull(b, first)
		writing() // the first
		written()
		rest, err := io.ReadAll(b)
		if string(first)+string(rest) != "0123456789" && (err == nil || b.Fault() == "") {
			t.Errorf("the upstream gets %q and %q, %v: %q", first, rest, err, b.Fault())
		}
	})
	t.Run("after what a proxy holds", func(t *testing.T) {
		b := bodyOf([]byte("0123456789"))
		begin, writing, written := announced(t.Context(), b)
		_, _ = b.Read(make([]byte, 4))
		begin()
		writing()
		written() // nothing could be written
		begin()
		writing()
		if rest, err := io.ReadAll(b); err != nil || string(rest) != "456789" || b.Fault() != "" {
			t.Errorf("%q %v %s", rest, err, b.Fault())
		}
	})
}

// TestDeepStack checks that a handler below hundreds of routes is still
// recognised as one.
func TestDeepStack(t *testing.T) {
	var below func(routes int) bool
	below = func(routes int) bool {
		if routes == 0 {
			return onStack(inHandlers)
		}
		return below(routes - 1)
	}
	for _, routes := range []int{0, 100, 250, 251, 252, 253, 254, 255, 256, 257, 1000} {
		_ = new(Retryable).Serve(func() error {
			if !below(routes) {
				t.Errorf("not found below %d", routes)
			}
			return nil
		})
		if below(routes) {
			t.Errorf("found below %d, where no handler is", routes)
		}
	}
}

// BenchmarkAttempt measures one announced attempt of a transport with a body of
// 2 KiB.
func BenchmarkAttempt(b *testing.B) {
	body, piece := make([]byte, 2048), make([]byte, 4096)
	for b.Loop() {
		r := bodyOf(body)
		trace := httptrace.ContextClientTrace(lend(context.Background(), r))
		trace.GotConn(httptrace.GotConnInfo{})
		trace.WroteHeaders()
		_, _ = r.Read(piece)
		_, _ = r.Read(piece)
		trace.WroteRequest(httptrace.WroteRequestInfo{})
		r.End()
	}
}
