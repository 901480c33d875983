package webhook

import (
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

const adminUsage = "the gateway's admin endpoint; default: Caddy's own, which CADDY_ADMIN sets"

// adminAddress is where the admin endpoint is, also if it was written as a URL.
func adminAddress(o *option) (string, error) {
	address := strings.TrimSuffix(strings.TrimPrefix(o.text, "http://"), "/")
	return caddycmd.DetermineAdminAPIAddress(address, nil, "", "")
}
