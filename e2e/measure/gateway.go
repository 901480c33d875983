// Package measure starts the real binary for commands that measure it, and
// reads from outside what it costs. It reads /proc, so it needs Linux.
package measure

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/ports"
)

// Gateway is a running binary, with ports and folders of its own.
type Gateway struct {
	Addr  string // of the site
	Admin string // of Caddy's admin endpoint
	Dir   string // of its data and its log
	cmd   *exec.Cmd
	ended chan struct{}
}

// Start runs a binary with a Caddyfile, which gets its ports as {$PORT} and
// {$ADMIN}, until the site's port takes connections.
func Start(binary, caddyfile string, env ...string) (*Gateway, error) {
	port, err := ports.Take(2) // the site's, and the admin endpoint's
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "hooklatch-measure-")
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		Addr: fmt.Sprintf("127.0.0.1:%d", port), Admin: fmt.Sprintf("127.0.0.1:%d", port+1), Dir: dir,
		ended: make(chan struct{}),
	}
	if err := g.run(binary, caddyfile, append(env, fmt.Sprintf("PORT=%d", port), "ADMIN="+g.Admin)); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	if err := g.awaitPort(); err != nil {
		text, _ := os.ReadFile(g.logFile())
		g.Stop()
		return nil, fmt.Errorf("%w; its log: %s", err, text)
	}
	return g, nil
}

func (g *Gateway) logFile() string { return filepath.Join(g.Dir, "log") }

func (g *Gateway) run(binary, caddyfile string, env []string) error {
	config := filepath.Join(g.Dir, "Caddyfile")
	if err := os.WriteFile(config, []byte(caddyfile), 0o600); err != nil {
		return err
	}
	log, err := os.Create(g.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	g.cmd = exec.Command(binary, "run", "--config", config)
	g.cmd.Env = append(os.Environ(), append(env, "XDG_DATA_HOME="+g.Dir, "XDG_CONFIG_HOME="+g.Dir)...)
	g.cmd.Stdout, g.cmd.Stderr = log, log
	if err := g.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = g.cmd.Wait()
		close(g.ended)
	}()
	return nil
}

func (g *Gateway) awaitPort() error {
	// A minute at least: the machine may be busy.
	for range 1200 {
		conn, err := net.Dial("tcp", g.Addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-g.ended:
			return errors.New("the gateway has ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("the gateway did not start")
}

// Stop ends the process and removes its folder.
func (g *Gateway) Stop() {
	const grace = 10 * time.Second
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.ended:
	case <-time.After(grace):
		_ = g.cmd.Process.Kill()
		<-g.ended
	}
	_ = os.RemoveAll(g.Dir)
}
