package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// protocol is what a client speaks, always over TLS.
type protocol string

const (
	h1    protocol = "h1"
	h2    protocol = "h2"
	h3    protocol = "h3"
	mixed protocol = "all"
)

var all = []protocol{h1, h2, h3}

// patience is how long a client waits for an answer at most.
const patience = 2 * time.Minute

// client is a sender with connections of its own.
type client struct {
	http  http.Client
	base  string
	close func() // ends its connections
}

func (g *gateway) tls() *tls.Config {
	return &tls.Config{RootCAs: g.roots, MinVersion: tls.VersionTLS12}
}

func (g *gateway) client(p protocol) *client {
	c := &client{base: "https://" + g.Addr}
	c.http.Timeout = patience
	var conns connections
	c.close = conns.close
	if p == h3 {
		c.http.Transport = &http3.Transport{
			TLSClientConfig: g.tls(), DisableCompression: true, Dial: conns.dialQUIC,
			QUICConfig: &quic.Config{KeepAlivePeriod: 10 * time.Second}, // or it gives up after 30 s without a packet
		}
		return c
	}
	transport := &http.Transport{
		TLSClientConfig: g.tls(), DisableCompression: true, Protocols: new(http.Protocols), DialContext: conns.dial,
	}
	transport.Protocols.SetHTTP1(p == h1)
	transport.Protocols.SetHTTP2(p == h2)
	c.http.Transport = transport
	return c
}

// connections are kept to be closed whatever happens on them: a transport first
// ends what it has begun, and forgets connections that had an error.
type connections struct {
	mu   sync.Mutex
	ends []func()
}

func (c *connections) keep(end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends = append(c.ends, end)
}

func (c *connections) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err == nil {
		c.keep(func() { _ = conn.Close() })
	}
	return conn, err
}

func (c *connections) dialQUIC(ctx context.Context, addr string, config *tls.Config, options *quic.Config) (*quic.Conn, error) {
	conn, err := quic.DialAddrEarly(ctx, addr, config, options)
	if err == nil {
		c.keep(func() { _ = conn.CloseWithError(0, "") })
	}
	return conn, err
}

func (c *connections) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, end := range c.ends {
		end()
	}
}

// answer is what a sender reads.
type answer struct {
	status     int
	reason     string // the gateway's, if it refused
	retryAfter string
	took       time.Duration
}

func (a answer) accepted() bool { return a.status >= 200 && a.status <= 299 }

// deliver sends a delivery as its provider would, and tells the application
// what the sender came to know.
func (c *client) deliver(ctx context.Context, a *application, d delivery) (answer, error) {
	ans, err := c.post(ctx, a.path, newBody(d.n, d.size), int64(d.size), http.Header{
		"X-Craneops-Signature": {d.signature}, "X-Craneops-Event": {"reliability"},
	})
	switch {
	case err != nil:
		a.noteUnanswered(d)
	case ans.accepted():
		a.noteAccepted(d)
	}
	return ans, err
}

// post sends a body that the client cannot send a second time by itself.
func (c *client) post(ctx context.Context, path string, body io.Reader, size int64, header http.Header) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, body)
	if err != nil {
		return answer{}, err
	}
	if header != nil {
		r.Header = header
	}
	r.ContentLength = size
	began := time.Now()
	res, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return answer{}, err
	}
	return answer{res.StatusCode, res.Header.Get("X-Reason"), res.Header.Get("Retry-After"), time.Since(began)}, nil
}
