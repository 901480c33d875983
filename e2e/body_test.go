package e2e

import (
	"crypto/rand"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestLargeBody: a client that is still sending 8 MiB receives its 413, with
// and without a declared length.
func TestLargeBody(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	large := harness.CraneOps(strings.Repeat("0123456789abcdef", 8<<20/16))
	unsigned := large.With("X-CraneOps-Signature", strings.Repeat("0", 64))
	ways := append(harness.Clients(),
		harness.Client{Name: "go chunked", Send: harness.SendChunked},
		harness.Client{Name: "raw chunked", Send: sendRawChunked},
		harness.Client{Name: "curl asking first", Send: harness.SendCurlAsking})
	for _, c := range ways {
		for name, d := range map[string]harness.Delivery{"signed": large, "forged": unsigned} {
			t.Run(c.Name+"/"+name, func(t *testing.T) {
				a, err := c.Send(t, g, d)
				if err != nil {
					t.Fatal(err)
				}
				a.Rejected(t, "body_too_large")
			})
		}
	}
	t.Run("curl chunked", func(t *testing.T) {
		a, err := harness.SendCurl(t, g, large.Plus("Transfer-Encoding", "chunked"))
		if err != nil {
			t.Fatal(err)
		}
		a.Rejected(t, "body_too_large")
	})
	app.Saw(t, 0)
}

// TestRefusedLargeBody: the same for a delivery that is refused for another
// reason, before and after its body is read.
func TestRefusedLargeBody(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "max_body 16MiB")
	d := harness.CraneOps(strings.Repeat("0123456789abcdef", 8<<20/16))
	cases := map[string]harness.Delivery{
		"missing_signature":  d.Without("X-CraneOps-Signature"),
		"signature_mismatch": d.With("X-CraneOps-Signature", strings.Repeat("0", 64)),
	}
	for _, c := range harness.Clients() {
		for reason, sent := range cases {
			t.Run(c.Name+"/"+reason, func(t *testing.T) {
				a, err := c.Send(t, g, sent)
				if err != nil {
					t.Fatal(err)
				}
				a.Rejected(t, reason)
			})
		}
	}
	app.Saw(t, 0)
}

func sendRawChunked(t *testing.T, g *harness.Gateway, d harness.Delivery) (harness.Answer, error) {
	t.Helper()
	w := g.Dial(t)
	go func() { _, _ = w.Conn.Write([]byte(d.Chunked(nil))) }()
	return w.Read()
}

// TestBodyLimit: the limit itself is allowed, one byte more is not.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "max_body 1KiB", "replay off")
	within, over := harness.CraneOps(strings.Repeat("x", 1024)), harness.CraneOps(strings.Repeat("x", 1025))
	g.Exchange(t, within.Whole()).Accepted(t)
	g.Exchange(t, within.Chunked(nil)).Accepted(t)
	g.Exchange(t, over.Whole()).Rejected(t, "body_too_large")
	g.Exchange(t, over.Chunked(nil)).Rejected(t, "body_too_large")
	for _, r := range app.All() {
		r.Carries(t, within)
	}
	app.Saw(t, 2)
}

// TestBodies: any body, sent in any way, reaches the application unchanged,
// with its length.
func TestBodies(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "replay off")
	all := bodies()
	large := make([]byte, 4<<20)
	_, _ = rand.Read(large)
	all["random-4mib"] = large
	ways := append(harness.Clients(), harness.Client{Name: "chunked", Send: harness.SendChunked}, harness.Client{Name: "curl-asking", Send: harness.SendCurlAsking})
	for name, body := range all {
		for _, c := range ways {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				d := harness.CraneOps(string(body)).To("/craneops?body=" + name + "&client=" + c.Name)
				a, err := c.Send(t, g, d)
				if err != nil {
					t.Fatal(err)
				}
				a.Accepted(t)
				got := app.With(d.Path)
				if len(got) != 1 {
					t.Fatalf("the application received it %d times", len(got))
				}
				got[0].Carries(t, d)
			})
		}
	}
}

// TestHalfBody: a sender stops in the middle of the body.
func TestHalfBody(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	d := harness.CraneOps(strings.Repeat("x", 1000))
	half := string(d.Body[:500])
	begun := map[string]string{
		"declared":    d.Head(d.Length()) + "\r\n" + half,
		"chunked":     d.Head("Transfer-Encoding: chunked") + "\r\n3e8\r\n" + half,
		"bad chunk":   d.Head("Transfer-Encoding: chunked") + "\r\n1f4\r\n" + half + "\r\nxyz\r\n",
		"no last one": d.Head("Transfer-Encoding: chunked") + "\r\n1f4\r\n" + half + "\r\n1f4\r\n" + half + "\r\n",
	}
	for name, text := range begun {
		t.Run(name+" and listens", func(t *testing.T) {
			w := g.Dial(t)
			w.Write(t, text)
			if err := w.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			w.MustRead(t).Rejected(t, "body_incomplete")
		})
		t.Run(name+" and leaves", func(t *testing.T) {
			w := g.Dial(t)
			path := "/craneops?left=" + strings.ReplaceAll(name, " ", "-")
			w.Write(t, strings.Replace(text, "/craneops", path, 1))
			w.Conn.Close()
			e := g.Log.Await(t, "the refusal", func(e harness.Entry) bool {
				request, _ := e["request"].(map[string]any)
				return e.Text("e2e_reason") != "" && request["uri"] == path
			})
			if e.Text("e2e_reason") != "body_incomplete" || e["status"] != float64(http.StatusBadRequest) {
				t.Errorf("logged %v %v", e["status"], e["e2e_reason"])
			}
		})
	}
	app.Saw(t, 0)
	// The unverified delivery left no trace in the history.
	g.Send(t, d).Accepted(t)
	app.Saw(t, 1)
}

// TestSlowBody: the whole body must arrive within body_timeout, even if it
// arrives one byte at a time. Without the limit it would take longer than the
// test waits.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t, "body_timeout 400ms")
	d := harness.CraneOps(strings.Repeat("x", 10_000))
	heads := map[string]string{
		"declared": d.Head(d.Length()) + "\r\n",
		"chunked":  d.Head("Transfer-Encoding: chunked") + "\r\n2710\r\n",
	}
	for name, head := range heads {
		for how, trickles := range map[string]bool{"never": false, "trickled": true} {
			t.Run(name+"/"+how, func(t *testing.T) {
				w := g.Dial(t)
				w.Write(t, head)
				if trickles {
					done := make(chan struct{})
					defer close(done)
					go trickle(w, done)
				}
				w.MustRead(t).Rejected(t, "body_timeout")
			})
		}
	}
	// A sender that is refused from its headers does not occupy the gateway any
	// longer.
	for name, head := range heads {
		t.Run(name+"/trickled for nothing", func(t *testing.T) {
			w := g.Dial(t)
			w.Write(t, strings.Replace(head, "X-CraneOps-Signature", "X-Nothing", 1))
			done := make(chan struct{})
			defer close(done)
			go trickle(w, done)
			w.MustRead(t).Rejected(t, "missing_signature")
		})
	}
	app.Saw(t, 0)
}

// trickle sends a body too slowly.
func trickle(w *harness.Wire, done <-chan struct{}) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-tick.C:
			if _, err := w.Conn.Write([]byte("x")); err != nil {
				return
			}
		}
	}
}
