package e2e

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

// wire is a connection on which a test writes what it likes.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

func (g *gateway) dial(t *testing.T) *wire {
	t.Helper()
	conn, err := net.DialTimeout("tcp", g.addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &wire{conn, bufio.NewReader(conn)}
}

func (w *wire) write(t *testing.T, parts ...string) {
	t.Helper()
	if _, err := w.conn.Write([]byte(strings.Join(parts, ""))); err != nil {
		t.Fatal(err)
	}
}

// read returns the next answer, also an interim one.
func (w *wire) read() (answer, error) {
	return read(http.ReadResponse(w.in, &http.Request{Method: http.MethodPost}))
}

func (w *wire) mustRead(t *testing.T) answer {
	t.Helper()
	a, err := w.read()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// head is the request without its body and without the empty line before it.
// The headers are written as they are; more are lines without their ends.
func (d delivery) head(more ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: hooks.example.com\r\n", d.method, d.path)
	for _, h := range d.headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h.name, h.value)
	}
	for _, line := range more {
		b.WriteString(line + "\r\n")
	}
	return b.String()
}

// length is the header line for the whole body.
func (d delivery) length() string { return "Content-Length: " + strconv.Itoa(len(d.body)) }

// whole is the request with the whole body, more header lines between them.
func (d delivery) whole(more ...string) string {
	return d.head(append(more, d.length())...) + "\r\n" + string(d.body)
}

// chunked is the request in chunks, with trailers. Two chunks, so that the body
// does not come in one read.
func (d delivery) chunked(more []string, trailers ...string) string {
	half := len(d.body) / 2
	var text strings.Builder
	text.WriteString(d.head(append(more, "Transfer-Encoding: chunked")...) + "\r\n")
	for _, part := range []string{string(d.body[:half]), string(d.body[half:])} {
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

// exchange writes a request as it stands and reads its answer.
func (g *gateway) exchange(t *testing.T, text string) answer {
	t.Helper()
	w := g.dial(t)
	w.write(t, text)
	return w.mustRead(t)
}

// sendRaw writes while it reads: a refusal may come before all is written.
func sendRaw(t *testing.T, g *gateway, d delivery) (answer, error) {
	t.Helper()
	w := g.dial(t)
	wrote := make(chan error, 1)
	go func() {
		_, err := w.conn.Write([]byte(d.whole()))
		wrote <- err
	}()
	a, err := w.read()
	if err != nil {
		return a, err
	}
	return a, <-wrote
}
