package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
)

// unfinished is a delivery whose sender goes away once it has the status of its
// answer, or before.
type unfinished struct {
	body      io.Reader
	size      int
	signature string
}

// begin sends it until there is an answer or ctx is done, and hangs up.
func begin(ctx context.Context, g *gateway, p protocol, u unfinished) (status int, reason string, err error) {
	if p == h1 {
		return beginRaw(ctx, g, u)
	}
	c := g.client(p)
	defer c.close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/hook", u.body)
	if err != nil {
		return 0, "", err
	}
	r.ContentLength = int64(u.size)
	r.Header.Set("X-Craneops-Signature", u.signature)
	r.Header.Set("X-Craneops-Event", "reliability")
	res, err := c.http.Transport.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	return res.StatusCode, res.Header.Get("X-Reason"), res.Body.Close()
}

// beginRaw writes by itself, because Go's client for HTTP/1.1 gathers what it
// sends.
func beginRaw(ctx context.Context, g *gateway, u unfinished) (int, string, error) {
	dialer := tls.Dialer{Config: g.tls()}
	conn, err := dialer.DialContext(ctx, "tcp", g.Addr)
	if err != nil {
		return 0, "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := fmt.Fprintf(conn, "POST /hook HTTP/1.1\r\nHost: %s\r\nX-Craneops-Signature: %s\r\nX-Craneops-Event: reliability\r\nContent-Length: %d\r\n\r\n", g.Addr, u.signature, u.size); err != nil {
		return 0, "", err
	}
	go func() { _, _ = io.Copy(conn, u.body) }() // an error ends the reading below too
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, "", err
	}
	// Its body is not waited for.
	return res.StatusCode, res.Header.Get("X-Reason"), nil
}
