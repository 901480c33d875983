package harness

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Wire is a connection to which a test writes raw bytes.
type Wire struct {
	Conn net.Conn
	In   *bufio.Reader
}

// Dial opens a raw connection to the gateway.
func (g *Gateway) Dial(t *testing.T) *Wire {
	t.Helper()
	conn, err := net.DialTimeout("tcp", g.Addr, Patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(Patience)); err != nil {
		t.Fatal(err)
	}
	return &Wire{conn, bufio.NewReader(conn)}
}

func (w *Wire) Write(t *testing.T, parts ...string) {
	t.Helper()
	if _, err := w.Conn.Write([]byte(strings.Join(parts, ""))); err != nil {
		t.Fatal(err)
	}
}

// Read returns the next answer, which may be an interim one.
func (w *Wire) Read() (Answer, error) {
	return Read(http.ReadResponse(w.In, &http.Request{Method: http.MethodPost}))
}

// MustRead reads an answer, or ends the test.
func (w *Wire) MustRead(t *testing.T) Answer {
	t.Helper()
	a, err := w.Read()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Head returns the request without its body and the empty line before it. The
// headers are written unchanged; more are additional lines without line ends.
func (d Delivery) Head(more ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: hooks.example.com\r\n", d.Method, d.Path)
	for _, h := range d.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	for _, line := range more {
		b.WriteString(line + "\r\n")
	}
	return b.String()
}

// Length returns the Content-Length line for the whole body.
func (d Delivery) Length() string { return "Content-Length: " + strconv.Itoa(len(d.Body)) }

// Whole returns the request with the whole body and additional header lines.
func (d Delivery) Whole(more ...string) string {
	return d.Head(append(more, d.Length())...) + "\r\n" + string(d.Body)
}

// Chunked returns the request in two chunks, so that the body does not arrive
// in one read, with trailers.
func (d Delivery) Chunked(more []string, trailers ...string) string {
	half := len(d.Body) / 2
	var text strings.Builder
	text.WriteString(d.Head(append(more, "Transfer-Encoding: chunked")...) + "\r\n")
	for _, part := range []string{string(d.Body[:half]), string(d.Body[half:])} {
		if part != "" {
			fmt.Fprintf(&text, "%x\r\n%s\r\n", len(part), part)
		}
	}
	text.WriteString("0\r\n")
	for _, line := range trailers {
		text.WriteString(line + "\r\n")
	}
	return text.String() + "\r\n"
}

// Exchange writes a request unchanged and reads its answer.
func (g *Gateway) Exchange(t *testing.T, text string) Answer {
	t.Helper()
	w := g.Dial(t)
	w.Write(t, text)
	return w.MustRead(t)
}

// sendRaw writes and reads at the same time: a refusal may arrive before the
// request is written.
func sendRaw(t *testing.T, g *Gateway, d Delivery) (Answer, error) {
	t.Helper()
	w := g.Dial(t)
	wrote := make(chan error, 1)
	go func() {
		_, err := w.Conn.Write([]byte(d.Whole()))
		wrote <- err
	}()
	a, err := w.Read()
	if err != nil {
		return a, err
	}
	return a, <-wrote
}
