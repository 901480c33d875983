package module

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/internal/bodies"
	"github.com/hooklatch/hooklatch/schemes"
)

func TestBodyTooLarge(t *testing.T) {
	limit := map[string]any{"max_body": 1000}
	big := strings.Repeat("x", 1001)
	t.Run("declared", func(t *testing.T) {
		g := newGateway(t, limit, nil)
		expect(t, g.send(t, craneops(big), big), http.StatusRequestEntityTooLarge, "rejected body_too_large")
		g.expectDelivered(t)
	})
	t.Run("chunked", func(t *testing.T) {
		g := newGateway(t, limit, nil)
		expect(t, g.sendRequest(t, g.request(t, craneops(big), readCloser{strings.NewReader(big)})),
			http.StatusRequestEntityTooLarge, "rejected body_too_large")
		g.expectDelivered(t)
	})
	t.Run("exactly the limit", func(t *testing.T) {
		g := newGateway(t, limit, nil)
		expect(t, g.sendRequest(t, g.request(t, craneops(big[:1000]), readCloser{strings.NewReader(big[:1000])})), http.StatusNoContent, "")
		g.expectDelivered(t, big[:1000])
	})
	t.Run("a sender that is still writing reads its answer", func(t *testing.T) {
		g := newGateway(t, limit, nil)
		huge := strings.Repeat("x", 8<<20)
		expect(t, g.send(t, craneops(huge), huge), http.StatusRequestEntityTooLarge, "rejected body_too_large")
	})
	t.Run("an empty body", func(t *testing.T) {
		g := newGateway(t, limit, nil)
		expect(t, g.send(t, craneops(""), ""), http.StatusNoContent, "")
		g.expectDelivered(t, "")
	})
}

// raw writes text to a connection to the gateway, byte by byte as given.
func (g *gateway) raw(t *testing.T, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

func head(h http.Header, extra string) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST /hook HTTP/1.1\r\nHost: test\r\n%s", extra)
	_ = h.Write(&b)
	return b.String() + "\r\n"
}

func TestBodyThatNeverComes(t *testing.T) {
	g := newGateway(t, map[string]any{"body_timeout": "50ms"}, nil)
	for name, text := range map[string]string{
		"nothing":    head(craneops(body), "Content-Length: 33\r\n"),
		"a part":     head(craneops(body), "Content-Length: 33\r\n") + body[:10],
		"chunked":    head(craneops(body), "Transfer-Encoding: chunked\r\n") + "a\r\n" + body[:10] + "\r\n",
		"no headers": head(http.Header{}, "Content-Length: 33\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			_, answer := g.raw(t, text)
			res, err := http.ReadResponse(answer, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			want := http.StatusRequestTimeout
			if name == "no headers" {
				want = http.StatusUnauthorized // refused before the body, then drained
			}
			if res.StatusCode != want || !res.Close {
				t.Errorf("status %d, close %v", res.StatusCode, res.Close)
			}
		})
	}
	g.expectDelivered(t)
}

func TestBodyIncomplete(t *testing.T) {
	for name, text := range map[string]string{
		"half":          head(craneops(body), "Content-Length: 33\r\n") + body[:10],
		"broken chunks": head(craneops(body), "Transfer-Encoding: chunked\r\n") + "a\r\n" + body[:10] + "\r\nzz\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, nil, nil)
			conn, answer := g.raw(t, text)
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			res, err := http.ReadResponse(answer, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			text, _ := io.ReadAll(res.Body)
			if res.StatusCode != http.StatusBadRequest || string(text) != "rejected body_incomplete" {
				t.Errorf("%d %s", res.StatusCode, text)
			}
			g.expectDelivered(t)
		})
	}
}

// TestExpectContinue checks that a sender that waits for 100-continue gets its
// answer without sending a body. A gateway that waited for the body would wait
// for an hour.
func TestExpectContinue(t *testing.T) {
	g := newGateway(t, map[string]any{"max_body": 1000, "body_timeout": "1h"}, nil)
	for name, c := range map[string]struct {
		header http.Header
		extra  string
		status int
	}{
		"refused from the headers": {http.Header{}, "Content-Length: 33\r\n", http.StatusUnauthorized},
		"too large":                {craneops(body), "Content-Length: 2000\r\n", http.StatusRequestEntityTooLarge},
		"continues":                {craneops(body), "Content-Length: 33\r\n", http.StatusContinue},
	} {
		t.Run(name, func(t *testing.T) {
			conn, answer := g.raw(t, head(c.header, c.extra+"Expect: 100-continue\r\n"))
			res, err := http.ReadResponse(answer, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if res.StatusCode != c.status {
				t.Fatalf("status %d, want %d", res.StatusCode, c.status)
			}
			if c.status != http.StatusContinue {
				if !res.Close {
					t.Error("the connection stays open")
				}
				return
			}
			if _, err := io.WriteString(conn, body); err != nil {
				t.Fatal(err)
			}
			final, err := http.ReadResponse(answer, nil)
			if err != nil {
				t.Fatal(err)
			}
			final.Body.Close()
			if final.StatusCode != http.StatusNoContent {
				t.Errorf("final status %d", final.StatusCode)
			}
		})
	}
	g.expectDelivered(t, body)
}

// TestKeptConnection shows that a connection lives on after a delivery, and
// after a refusal whose body was drained.
func TestKeptConnection(t *testing.T) {
	g := newGateway(t, nil, nil)
	refused := head(http.Header{}, "Content-Length: 33\r\n") + body
	taken := head(craneops(body), "Content-Length: 33\r\n") + body
	_, answer := g.raw(t, refused+taken+refused)
	for i, want := range []int{401, 204, 401} {
		res, err := http.ReadResponse(answer, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("answer %d: %d, want %d", i, res.StatusCode, want)
		}
	}
}

func TestMaxBodyFitsTheBudget(t *testing.T) {
	for _, c := range []struct {
		buffered, body, want int64
		err                  string
	}{
		{256 << 20, 0, 5 << 20, ""},
		{8 << 20, 0, 5 << 20, ""},
		{4 << 20, 0, 3584 << 10, ""}, // the default shrinks
		{4 << 20, 3584 << 10, 3584 << 10, ""},
		{4 << 20, 3584<<10 + 1, 0, "max_body: 3670017B is more than max_buffered leaves for large bodies; write max_body 3584KiB or less, or a max_buffered of at least 4097KiB in the global option verify_webhook"},
		{64 << 10, 0, 64 << 10, ""}, // small bodies may use all
		{32 << 10, 64 << 10, 0, "write max_body 32KiB or less"},
		{1 << 30, math.MaxInt64, 0, "write max_body 896MiB or less"},
	} {
		h := &Handler{MaxBody: c.body, scheme: schemes.Scheme{}}
		err := h.fitBudget(bodies.NewBudget(c.buffered))
		if c.err == "" && (err != nil || h.MaxBody != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%d of %d: %d, %v", c.body, c.buffered, h.MaxBody, err)
		}
	}
}

// TestMaxBodyOfTheProvider checks that a provider that sends larger bodies than
// the default raises the default, and that the operator's option takes
// precedence.
func TestMaxBodyOfTheProvider(t *testing.T) {
	for _, c := range []struct {
		scheme               string
		buffered, body, want int64
	}{
		{"github", 256 << 20, 0, 25 << 20},
		{"github", 8 << 20, 0, 7 << 20},
		{"github", 256 << 20, 1 << 20, 1 << 20},
		{"gitlab", 256 << 20, 0, 25 << 20},
		{"stripe", 256 << 20, 0, 5 << 20},
	} {
		scheme, _ := schemes.Get(c.scheme)
		h := &Handler{MaxBody: c.body, scheme: scheme}
		if err := h.fitBudget(bodies.NewBudget(c.buffered)); err != nil || h.MaxBody != c.want {
			t.Errorf("%s, %d of %d: %d, %v", c.scheme, c.body, c.buffered, h.MaxBody, err)
		}
	}
}

// holding returns an application that answers when the test releases it.
func holding() (app application, arrived chan struct{}, release func()) {
	arrived, over := make(chan struct{}, 16), make(chan struct{})
	return func(w http.ResponseWriter, _ *http.Request) error {
		arrived <- struct{}{}
		<-over
		w.WriteHeader(http.StatusNoContent)
		return nil
	}, arrived, func() { close(over) }
}

func TestOverloaded(t *testing.T) {
	expectNothingBuffered(t) // of tests before this one
	app, arrived, release := holding()
	g := newGateway(t, map[string]any{"max_buffered": 512 << 10, "max_body": 448 << 10}, app)
	first, second := strings.Repeat("a", 300<<10), strings.Repeat("b", 200<<10)
	small := strings.Repeat("c", 64<<10)
	answers := make(chan answerOf, 2)
	go func() { answers <- g.send(t, craneops(first), first) }()
	<-arrived

	a := g.send(t, craneops(second), second)
	expect(t, a, http.StatusServiceUnavailable, "rejected overloaded")
	if a.header.Get("Retry-After") != "30" {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	go func() { answers <- g.send(t, craneops(small), small) }()
	<-arrived // a small one still has a share

	release()
	for range 2 {
		expect(t, <-answers, http.StatusNoContent, "")
	}
	expect(t, g.send(t, craneops(second), second), http.StatusNoContent, "")
	g.expectDelivered(t, first, small, second)
	expectNothingBuffered(t)
}

// TestClaimsCostNothing checks that only bytes that have arrived count.
func TestClaimsCostNothing(t *testing.T) {
	expectNothingBuffered(t)
	g := newGateway(t, map[string]any{"max_buffered": 512 << 10, "max_body": 448 << 10, "body_timeout": "1h"}, nil)
	for range 20 {
		g.raw(t, head(craneops(body), "Content-Length: 458000\r\n"))
	}
	whole := strings.Repeat("a", 400<<10)
	expect(t, g.send(t, craneops(whole), whole), http.StatusNoContent, "")

	part := strings.Repeat("b", 300<<10)
	conn, _ := g.raw(t, head(craneops(whole), "Content-Length: 409600\r\n")+part)
	waitUntil(t, func() bool { return bodies.InUse().Large == int64(len(part)) })
	expect(t, g.send(t, craneops(whole), whole), http.StatusServiceUnavailable, "rejected overloaded")
	conn.Close()
	waitUntil(t, func() bool { return bodies.InUse().Large == 0 })
	other := strings.Repeat("c", 400<<10)
	expect(t, g.send(t, craneops(other), other), http.StatusNoContent, "")
	g.expectDelivered(t, whole, other)
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
