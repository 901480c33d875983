package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// stuckReader asks for the deliveries as they come and reads nothing. The kernel
// keeps little for it: its receive buffer is the smallest there is, and with short
// segments the gateway's send buffer stays small too.
func stuckReader(t *testing.T, admin string) net.Conn {
	t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 1)
			if failed == nil {
				failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 88)
			}
		})
		if err != nil {
			return err
		}
		return failed
	}}
	conn, err := dialer.DialContext(t.Context(), "tcp", admin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprintf(conn, "GET /verify_webhook/deliveries/follow HTTP/1.1\r\nHost: %s\r\n\r\n", admin); err != nil {
		t.Fatal(err)
	}
	return conn
}

// TestFollowerThatDoesNotRead is dropped, and says so in the log. Meanwhile every
// delivery is answered: none waits for the reader.
func TestFollowerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr)), harness.Secrets()...)
	stuck := stuckReader(t, g.Admin)
	harness.Poll(t, "the request of the reader", func() bool {
		return strings.Contains(g.Log.String(), "/verify_webhook/deliveries/follow")
	})

	// The gateway gives a reader 10 s for what it is shown. A delivery that waited
	// for this one would take as long.
	client := &http.Client{Timeout: 8 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	const atOnce, block, most = 8, 64, 200_000
	unsigned := "http://" + g.Addr + "/craneops/" + strings.Repeat("x", 200)
	dropped := func() bool {
		_, found := g.Log.Find(func(e harness.Entry) bool { return strings.Contains(e.Text("msg"), "follow was too slow") })
		return found
	}
	sent := 0
	for !dropped() {
		if sent > most {
			t.Fatalf("the reader is still there after %d deliveries", sent)
		}
		var group sync.WaitGroup
		for range atOnce {
			group.Go(func() {
				for range block {
					if a, err := harness.Read(client.Post(unsigned, "", http.NoBody)); err != nil || a.Status != http.StatusUnauthorized {
						t.Errorf("%d %v", a.Status, err)
						return
					}
				}
			})
		}
		group.Wait()
		sent += atOnce * block
		if t.Failed() {
			return
		}
	}
	g.Send(t, harness.CraneOps(`{"event":"booking.created"}`)).Accepted(t)

	// Its connection ends, before it has been shown everything.
	_ = stuck.SetReadDeadline(time.Now().Add(harness.Patience))
	shown, err := io.ReadAll(stuck)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection of the reader is still open")
	}
	if n := bytes.Count(shown, []byte(`"number"`)); n == 0 || n >= sent {
		t.Errorf("%d of %d deliveries were shown", n, sent)
	}
}
