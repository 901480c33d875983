package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/module/inspector"
)

func inspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect [--listen ADDR] [--address ADMIN]",
		Short: "Serves a page that shows which deliveries came, and why some were refused",
		Long: `Serves a page that shows which deliveries came to a running gateway, which were
refused, why, and what to change. It prints the page's address, which has a token
in it: keep the address to yourself. The page is served to this machine only; to
see it from another one, use ssh -L.

Exit status: 0 after Ctrl-C; 1 the gateway cannot be reached, or the address to
listen on is taken; 2 wrong usage.`,
		Example: `  hooklatch webhook inspect
  hooklatch webhook inspect --listen 127.0.0.1:9000 --address unix//run/hooklatch/admin.sock`,
		Args:                  noArgs,
		DisableFlagsInUseLine: true,
	}
	listen := newOption(cmd, "listen", "ADDR", "where to serve it, on loopback; default: 127.0.0.1 and a free port")
	address := newOption(cmd, "address", "ADMIN", adminUsage)
	cmd.RunE = ending(func(cmd *cobra.Command, _ []string) error {
		local, err := localOnly(listen)
		if err != nil {
			return err
		}
		admin, err := adminAddress(address)
		if err != nil {
			return err
		}
		gateway, err := newRemote(admin)
		if err != nil {
			return err
		}
		if err := gateway.reach(cmd.Context()); err != nil {
			cmd.PrintErrf("Error: %v\n", err)
			return errUnsuccessful
		}
		if err := serveInspector(cmd, local, gateway); err != nil {
			cmd.PrintErrf("Error: %v\n", err)
			return errUnsuccessful
		}
		return nil
	})
	return cmd
}

// anyLocalPort is a free port on loopback.
const anyLocalPort = loopback + ":0"

// localOnly checks that an address is on loopback, so that no other machine can
// reach it.
func localOnly(o *option) (string, error) {
	address := o.text
	if address == "" {
		return anyLocalPort, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("--%s is not a host and a port; write 127.0.0.1:9000", o.name)
	}
	if strings.EqualFold(host, "localhost") {
		return net.JoinHostPort("127.0.0.1", port), nil
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return "", fmt.Errorf("--%s is not on loopback, and the page is for this machine only; write 127.0.0.1:9000, and use ssh -L to see it from another machine", o.name)
	}
	return address, nil
}

// serveInspector serves the page until the command is interrupted.
func serveInspector(cmd *cobra.Command, address string, gateway *remote) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	page, err := openPage(address, &inspector.Page{Gateway: gateway, Name: gateway.name, Closing: ctx.Done()})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- page.serve() }()
	if err := write(cmd, page.url+"\n"); err != nil {
		return err
	}
	select {
	case err := <-ended:
		return fmt.Errorf("the page is not served any more: %w", err)
	case <-ctx.Done():
	}
	return page.Close()
}

// privatePage is the page on its own port, with a token in its URL.
type privatePage struct {
	http.Server
	listener net.Listener
	url      string
}

// openPage listens on the port of the page. The address must be on loopback.
func openPage(address string, page *inspector.Page) (*privatePage, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		if in, ok := errors.AsType[*net.OpError](err); ok {
			err = in.Err
		}
		return nil, fmt.Errorf("the page cannot be served on %s: %w", address, err)
	}
	private := inspector.NewPrivate(page)
	return &privatePage{
		Server:   http.Server{Handler: private, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute},
		listener: listener,
		url:      fmt.Sprintf("http://%s%s", listener.Addr(), private.Path()),
	}, nil
}

// serve returns when the page is closed.
func (p *privatePage) serve() error { return p.Serve(p.listener) }

// remote is a gateway in another process, reached through its admin endpoint.
type remote struct {
	httputil.ReverseProxy
	name string
	dial func(context.Context) (net.Conn, error)
}

// reach returns an error if the admin endpoint cannot be reached. The page
// would show it too, but a wrong address should be reported at once.
func (r *remote) reach(ctx context.Context) error {
	conn, err := r.dial(ctx)
	if err != nil {
		return fmt.Errorf("the gateway cannot be reached: %w", err)
	}
	return conn.Close()
}

// newRemote returns the gateway at an admin address, on any network that Caddy
// supports.
func newRemote(admin string) (*remote, error) {
	network, target, err := adminNetwork(admin)
	if err != nil {
		return nil, err
	}
	host := target
	if network == "unix" {
		host = "127.0.0.1" // the host that Caddy accepts for a socket
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, target)
		},
		IdleConnTimeout: time.Minute,
	}
	r := &remote{name: admin, dial: func(ctx context.Context) (net.Conn, error) {
		return transport.DialContext(ctx, network, target)
	}}
	r.ReverseProxy = httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Scheme, pr.Out.URL.Host, pr.Out.Host = "http", host, host
			if network != "unix" {
				pr.Out.Header.Set("Origin", "http://"+host)
			}
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, fmt.Sprintf("the gateway cannot be reached: %v", err), http.StatusBadGateway)
		},
		ErrorLog: log.New(io.Discard, "", 0), // the page shows errors
	}
	return r, nil
}
