package e2e

import (
	"crypto/rand"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestLargeBody: a client that is still sending 8 MiB reads its 413, with the
// length declared and without.
func TestLargeBody(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	large := craneops(strings.Repeat("0123456789abcdef", 8<<20/16))
	unsigned := large.with("X-CraneOps-Signature", strings.Repeat("0", 64))
	ways := append(clients(),
		client{name: "go chunked", send: sendChunked},
		client{name: "raw chunked", send: sendRawChunked},
		client{name: "curl asking first", send: sendCurlAsking})
	for _, c := range ways {
		for name, d := range map[string]delivery{"signed": large, "forged": unsigned} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				a, err := c.send(t, g, d)
				if err != nil {
					t.Fatal(err)
				}
				a.rejected(t, "body_too_large")
			})
		}
	}
	t.Run("curl chunked", func(t *testing.T) {
		a, err := sendCurl(t, g, large.plus("Transfer-Encoding", "chunked"))
		if err != nil {
			t.Fatal(err)
		}
		a.rejected(t, "body_too_large")
	})
	app.saw(t, 0)
}

// TestRefusedLargeBody: the same for what is refused for another reason, before
// and after its body was read.
func TestRefusedLargeBody(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "max_body 16MiB")
	d := craneops(strings.Repeat("0123456789abcdef", 8<<20/16))
	cases := map[string]delivery{
		"missing_signature":  d.without("X-CraneOps-Signature"),
		"signature_mismatch": d.with("X-CraneOps-Signature", strings.Repeat("0", 64)),
	}
	for _, c := range clients() {
		for reason, sent := range cases {
			t.Run(c.name+"/"+reason, func(t *testing.T) {
				a, err := c.send(t, g, sent)
				if err != nil {
					t.Fatal(err)
				}
				a.rejected(t, reason)
			})
		}
	}
	app.saw(t, 0)
}

func sendRawChunked(t *testing.T, g *gateway, d delivery) (answer, error) {
	t.Helper()
	w := g.dial(t)
	go func() { _, _ = w.conn.Write([]byte(d.chunked(nil))) }()
	return w.read()
}

// TestBodyLimit: the limit itself is allowed, one byte more is not.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "max_body 1KiB", "replay off")
	within, over := craneops(strings.Repeat("x", 1024)), craneops(strings.Repeat("x", 1025))
	g.exchange(t, within.whole()).accepted(t)
	g.exchange(t, within.chunked(nil)).accepted(t)
	g.exchange(t, over.whole()).rejected(t, "body_too_large")
	g.exchange(t, over.chunked(nil)).rejected(t, "body_too_large")
	for _, r := range app.all() {
		r.carries(t, within)
	}
	app.saw(t, 2)
}

// TestBodies: whatever the bytes and however they come, they arrive as they were
// sent, with their length.
func TestBodies(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "replay off")
	all := bodies()
	large := make([]byte, 4<<20)
	_, _ = rand.Read(large)
	all["random-4mib"] = large
	ways := append(clients(), client{name: "chunked", send: sendChunked}, client{name: "curl-asking", send: sendCurlAsking})
	for name, body := range all {
		for _, c := range ways {
			t.Run(name+"/"+c.name, func(t *testing.T) {
				d := craneops(string(body)).to("/craneops?body=" + name + "&client=" + c.name)
				a, err := c.send(t, g, d)
				if err != nil {
					t.Fatal(err)
				}
				a.accepted(t)
				got := app.with(d.path)
				if len(got) != 1 {
					t.Fatalf("the application received it %d times", len(got))
				}
				got[0].carries(t, d)
			})
		}
	}
}

// TestHalfBody: a sender that stops in the middle.
func TestHalfBody(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	d := craneops(strings.Repeat("x", 1000))
	half := string(d.body[:500])
	begun := map[string]string{
		"declared":    d.head(d.length()) + "\r\n" + half,
		"chunked":     d.head("Transfer-Encoding: chunked") + "\r\n3e8\r\n" + half,
		"bad chunk":   d.head("Transfer-Encoding: chunked") + "\r\n1f4\r\n" + half + "\r\nxyz\r\n",
		"no last one": d.head("Transfer-Encoding: chunked") + "\r\n1f4\r\n" + half + "\r\n1f4\r\n" + half + "\r\n",
	}
	for name, text := range begun {
		t.Run(name+" and listens", func(t *testing.T) {
			w := g.dial(t)
			w.write(t, text)
			if err := w.conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			w.mustRead(t).rejected(t, "body_incomplete")
		})
		t.Run(name+" and leaves", func(t *testing.T) {
			w := g.dial(t)
			path := "/craneops?left=" + strings.ReplaceAll(name, " ", "-")
			w.write(t, strings.Replace(text, "/craneops", path, 1))
			w.conn.Close()
			e := g.log.await(t, "the refusal", func(e entry) bool {
				request, _ := e["request"].(map[string]any)
				return e.text("e2e_reason") != "" && request["uri"] == path
			})
			if e.text("e2e_reason") != "body_incomplete" || e["status"] != float64(http.StatusBadRequest) {
				t.Errorf("logged %v %v", e["status"], e["e2e_reason"])
			}
		})
	}
	app.saw(t, 0)
	// Nothing unverified has left a trace in the history.
	g.send(t, d).accepted(t)
	app.saw(t, 1)
}

// TestSlowBody: the whole body must come within body_timeout, also when it
// comes a byte at a time. Without that limit it would take longer than the test
// waits.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "body_timeout 400ms")
	d := craneops(strings.Repeat("x", 10_000))
	heads := map[string]string{
		"declared": d.head(d.length()) + "\r\n",
		"chunked":  d.head("Transfer-Encoding: chunked") + "\r\n2710\r\n",
	}
	for name, head := range heads {
		for how, trickles := range map[string]bool{"never": false, "trickled": true} {
			t.Run(name+"/"+how, func(t *testing.T) {
				w := g.dial(t)
				w.write(t, head)
				if trickles {
					done := make(chan struct{})
					defer close(done)
					go trickle(w, done)
				}
				w.mustRead(t).rejected(t, "body_timeout")
			})
		}
	}
	// Who is refused from the headers keeps the gateway no longer.
	for name, head := range heads {
		t.Run(name+"/trickled for nothing", func(t *testing.T) {
			w := g.dial(t)
			w.write(t, strings.Replace(head, "X-CraneOps-Signature", "X-Nothing", 1))
			done := make(chan struct{})
			defer close(done)
			go trickle(w, done)
			w.mustRead(t).rejected(t, "missing_signature")
		})
	}
	app.saw(t, 0)
}

// trickle keeps a body coming, too slowly.
func trickle(w *wire, done <-chan struct{}) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			if _, err := w.conn.Write([]byte("x")); err != nil {
				return
			}
		}
	}
}
