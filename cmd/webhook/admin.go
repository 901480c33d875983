package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
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

// adminClient speaks to a gateway's admin endpoint.
type adminClient struct {
	client    *http.Client
	origin    string
	sayOrigin bool
}

// refusedError is an answer that is not 2xx, as the gateway says it.
type refusedError struct{ text string }

// Error returns what the gateway says.
func (e refusedError) Error() string { return e.text }

// newAdminClient finds the admin endpoint, which may be a unix socket.
func newAdminClient(o *option) (*adminClient, error) {
	address, err := adminAddress(o)
	if err != nil {
		return nil, err
	}
	network, host, err := adminNetwork(address)
	if err != nil {
		return nil, err
	}
	a := &adminClient{origin: "http://" + host, sayOrigin: true}
	if network != "tcp" {
		a.origin, a.sayOrigin = "http://127.0.0.1", false // a socket has no origin
	}
	a.client = &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, host)
		},
	}}
	return a, nil
}

func (a *adminClient) get(ctx context.Context, path string) (*http.Response, error) {
	return a.do(ctx, http.MethodGet, path)
}

// ask asks and reads the answer into result, unless that is nil.
func (a *adminClient) ask(ctx context.Context, method, path string, result any) error {
	res, err := a.do(ctx, method, path)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // it has been read
	if result == nil {
		return nil
	}
	if err := json.NewDecoder(res.Body).Decode(result); err != nil {
		return fmt.Errorf("reading the gateway's answer: %w", err)
	}
	return nil
}

// do asks, and returns an answer that is 2xx.
func (a *adminClient) do(ctx context.Context, method, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, a.origin+path, nil)
	if err != nil {
		return nil, err
	}
	if a.sayOrigin {
		r.Header.Set("Origin", a.origin)
	}
	res, err := a.client.Do(r)
	if failed, ok := errors.AsType[*net.OpError](err); ok && failed.Op == "dial" {
		return nil, fmt.Errorf("the gateway cannot be reached: %w; give its admin endpoint with --address (webhook proxy and demo have one with --admin)", failed)
	}
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	const most = 10 << 10
	text, _ := io.ReadAll(io.LimitReader(res.Body, most))
	var said struct{ Error string }
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		said.Error = string(bytes.TrimSpace(text))
	}
	return nil, refusedError{fmt.Sprintf("the gateway answers %d: %s", res.StatusCode, inLine(said.Error))}
}

// unreached ends a command that the gateway did not serve.
func unreached(cmd *cobra.Command, err error) error {
	cmd.PrintErrf("Error: %v\n", err)
	return errUnsuccessful
}
