package e2e

import (
	"net"
	"sync"
	"testing"
)

// given are the ports that this run has handed out. Caddy binds with
// SO_REUSEPORT: two gateways on one port would both start and share its
// connections, so that no port may be handed out twice.
var given struct {
	sync.Mutex
	ports map[string]bool
}

// freePort finds a port that nothing listens on. Something else may take it
// before the gateway does; whoever starts one tries again then.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_, port, err := net.SplitHostPort(l.Addr().String())
		l.Close()
		if err != nil {
			t.Fatal(err)
		}
		if claim(port) {
			return port
		}
	}
}

func claim(port string) bool {
	given.Lock()
	defer given.Unlock()
	if given.ports[port] {
		return false
	}
	if given.ports == nil {
		given.ports = map[string]bool{}
	}
	given.ports[port] = true
	return true
}
