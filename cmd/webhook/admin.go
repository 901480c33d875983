package webhook

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

const adminUsage = "the gateway's admin endpoint, unix//path for a socket; default: Caddy's own, which CADDY_ADMIN sets"

// adminAddress is where the admin endpoint is, also if it was written as a URL.
func adminAddress(o *option) (string, error) {
	address := strings.TrimSuffix(strings.TrimPrefix(o.text, "http://"), "/")
	return caddycmd.DetermineAdminAPIAddress(address, nil, "", "")
}

// adminNetwork splits an address as Caddy writes it into what a dialer takes.
func adminNetwork(address string) (network, host string, err error) {
	parsed, err := caddy.ParseNetworkAddress(address)
	if err != nil || parsed.PortRangeSize() > 1 {
		return "", "", fmt.Errorf("--address: this is no address; write host:port, or unix//path for a socket")
	}
	if parsed.IsUnixNetwork() {
		path, _, _ := strings.Cut(parsed.Host, "|") // permissions may follow
		return "unix", path, nil
	}
	return "tcp", parsed.JoinHostPort(0), nil
}
