// Package measure starts the real binary for commands that measure it, and
// reads from outside what it costs. It reads /proc, so it needs Linux.
package measure

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/ports"
)

// Gateway is a running binary, with ports and folders of its own.
type Gateway struct {
	Addr  string // of the site
	Admin string // of Caddy's admin endpoint
	Dir   string // of its data and its log

	binary string
	env    []string
	cmd    *exec.Cmd
	ended  chan struct{}
}

// Start runs a binary with a Caddyfile, which gets its ports as {$PORT} and
// {$ADMIN}, and returns once the configuration is served. The Caddyfile leaves
// the log at Caddy's defaults.
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
		binary: binary,
	}
	g.env = append(append(os.Environ(), env...), fmt.Sprintf("PORT=%d", port), "ADMIN="+g.Admin, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	err = os.WriteFile(g.configFile(), []byte(caddyfile), 0o600)
	if err == nil {
		err = g.Restart()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return g, nil
}

func (g *Gateway) configFile() string { return filepath.Join(g.Dir, "Caddyfile") }

func (g *Gateway) logFile() string { return filepath.Join(g.Dir, "log") }

// Log is what the process has written since it was started.
func (g *Gateway) Log() string {
	text, _ := os.ReadFile(g.logFile())
	return string(text)
}

// Restart starts the process, which has ended, on the same ports and with the
// same configuration, and returns once that is served. The variables come after
// those that it was first started with. The error has the log.
func (g *Gateway) Restart(env ...string) error {
	if err := g.run(env); err != nil {
		return err
	}
	if err := g.awaitServing(); err != nil {
		g.Kill()
		return fmt.Errorf("%w; its log: %s", err, g.Log())
	}
	return nil
}

func (g *Gateway) run(env []string) error {
	log, err := os.Create(g.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd, ended := exec.Command(g.binary, "run", "--config", g.configFile()), make(chan struct{})
	cmd.Env = append(slices.Clone(g.env), env...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	g.cmd, g.ended = cmd, ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	return nil
}

// awaitServing waits for the log to say so. The port takes connections before
// that, also of a configuration that then fails to start.
func (g *Gateway) awaitServing() error {
	// A minute at least: the machine may be busy.
	for range 1200 {
		if strings.Contains(g.Log(), `"serving initial configuration"`) {
			return nil
		}
		select {
		case <-g.ended:
			return errors.New("the gateway has ended")
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("the gateway did not start")
}

// Kill ends the process as the kernel would that needs its memory.
func (g *Gateway) Kill() {
	_ = g.cmd.Process.Kill()
	<-g.ended
}

// Stop ends the process and removes its folder.
func (g *Gateway) Stop() {
	g.End()
	_ = os.RemoveAll(g.Dir)
}

// End ends the process as an operator does.
func (g *Gateway) End() {
	const grace = 10 * time.Second
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-g.ended:
	case <-time.After(grace):
		g.Kill()
	}
}
