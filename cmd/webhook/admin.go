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

// adminAddress returns the address of the admin endpoint, which may be written
// as a URL.
func adminAddress(o *option) (string, error) {
	address := strings.TrimSuffix(strings.TrimPrefix(o.text, "http://"), "/")
	return caddycmd.DetermineAdminAPIAddress(address, nil, "", "")
}

// adminNetwork splits an address in Caddy's form into the arguments of a
// dialer.
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

// adminClient sends requests to a gateway's admin endpoint.
type adminClient struct {
	client    *http.Client
	origin    string
	sayOrigin bool
}

// refusedError is the gateway's error text in an answer that is not 2xx.
type refusedError struct{ text string }

// Error returns the gateway's text.
func (e refusedError) Error() string { return e.text }

// newAdminClient returns a client for the admin endpoint, which may be a Unix
// socket.
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

// ask sends a request and decodes the answer into result, unless that is nil.
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

// do sends a request and returns the answer. It fails if the answer is not 2xx.
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

// unreached prints the error of a failed request to the gateway, and ends the
// command with exit status 1.
func unreached(cmd *cobra.Command, err error) error {
	cmd.PrintErrf("Error: %v\n", err)
	return errUnsuccessful
}
