package harness

import (
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Gateway is a running binary with one site on a free port.
type Gateway struct {
	Addr  string // of the site
	Admin string
	Log   *LogBook

	Binary string
	Env    []string
	Config string
	Cmd    *exec.Cmd
	Exited chan struct{}
}

// Start runs the binary with the given contents of a site block. The
// environment contains only env and BareEnv. The value of every variable whose
// name ends in SECRET is a canary: the test fails if the log contains it.
func Start(t *testing.T, site string, env ...string) *Gateway {
	t.Helper()
	return StartBinary(t, Binary(t), site, env...)
}

// StartBinary is like Start, for another binary.
func StartBinary(t *testing.T, binary, site string, env ...string) *Gateway {
	t.Helper()
	for range 5 {
		g := Launch(t, binary, site, env)
		if g.Ready(t) {
			return g
		}
		if !strings.Contains(g.Log.String(), "address already in use") {
			t.Fatalf("the gateway did not start:\n%s", g.Log)
		}
	}
	t.Fatal("five times something else took the port")
	return nil
}

// Launch starts a gateway once, and does not try again on a taken port.
func Launch(t *testing.T, binary, site string, env []string) *Gateway {
	t.Helper()
	dir := t.TempDir()
	port, adminPort := FreePort(t), FreePort(t)
	g := &Gateway{
		Addr:   "127.0.0.1:" + port,
		Admin:  "127.0.0.1:" + adminPort,
		Log:    new(LogBook),
		Binary: binary,
		Env:    append(append(BareEnv(dir), "E2E_PORT="+port, "E2E_ADMIN_PORT="+adminPort), env...),
		Config: filepath.Join(dir, "Caddyfile"),
		Exited: make(chan struct{}),
	}
	g.write(t, site)
	g.Run(t)
	return g
}

// Run starts the process and stops it when the test has ended.
func (g *Gateway) Run(t *testing.T) {
	t.Helper()
	g.Cmd = g.Command("run", "--config", g.Config)
	g.Cmd.Stdout, g.Cmd.Stderr = g.Log, g.Log
	if err := g.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = g.Cmd.Wait()
		close(g.Exited)
		g.Log.Notice.Raise()
	}()
	t.Cleanup(func() { g.Stop(t) })
}

// BareEnv returns an environment that keeps the gateway away from the user's
// own files and variables.
func BareEnv(dir string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + dir,
		"XDG_DATA_HOME=" + filepath.Join(dir, "data"),
		"XDG_CONFIG_HOME=" + filepath.Join(dir, "config"),
	}
}

// Command returns a command of the gateway's binary, with its environment.
func (g *Gateway) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(g.Binary, args...)
	cmd.Env = g.Env
	return cmd
}

// write writes a Caddyfile with the site and the options that every gateway
// here needs: its own admin endpoint, and a log that hides nothing.
// E2E_PROTOCOLS changes Caddy's default protocols, and E2E_LOG_LEVEL the log
// level.
func (g *Gateway) write(t *testing.T, site string) {
	t.Helper()
	text := `{
	admin 127.0.0.1:{$E2E_ADMIN_PORT}
	persist_config off
	grace_period 30s
	servers {
		protocols {$E2E_PROTOCOLS:h1 h2 h3}
	}
	log {
		format json
		level {$E2E_LOG_LEVEL:DEBUG}
	}
}

:{$E2E_PORT} {
	bind 127.0.0.1
` + site + `
}
`
	if err := os.WriteFile(g.Config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Ready reports whether the configuration is served.
func (g *Gateway) Ready(t *testing.T) bool {
	t.Helper()
	serving := false
	Await(t, &g.Log.Notice, "the gateway", func() bool {
		_, serving = g.Log.Find(func(e Entry) bool { return e.Text("msg") == "serving initial configuration" })
		return serving || g.Gone()
	})
	return serving
}

// Gone reports whether the process has ended.
func (g *Gateway) Gone() bool {
	select {
	case <-g.Exited:
		return true
	default:
		return false
	}
}

// Reload gives the running gateway another site, as an operator would.
func (g *Gateway) Reload(t *testing.T, site string) (string, error) {
	t.Helper()
	g.write(t, site)
	said, err := g.Command("reload", "--config", g.Config, "--address", g.Admin).CombinedOutput()
	return string(said), err
}

// Stop ends the gateway and waits for it.
func (g *Gateway) Stop(t *testing.T) {
	err := g.Cmd.Process.Signal(syscall.SIGTERM)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case <-g.Exited:
	case <-time.After(Patience):
		t.Errorf("the gateway did not stop within %v", Patience)
		_ = g.Cmd.Process.Kill()
		<-g.Exited
	}
	g.inspect(t)
	if t.Failed() {
		t.Logf("the gateway's log:\n%s", LastLines(g.Log.String()))
	}
}

// inspect fails the test if the log contains a secret, a data race or a panic.
func (g *Gateway) inspect(t *testing.T) {
	log := g.Log.String()
	for _, variable := range g.Env {
		name, value, _ := strings.Cut(variable, "=")
		if strings.HasSuffix(name, "SECRET") && value != "" && strings.Contains(log, value) {
			t.Errorf("the log holds the value of %s", name)
		}
	}
	for _, trouble := range []string{"DATA RACE", "runtime error:", "panic serving"} {
		if strings.Contains(log, trouble) {
			t.Errorf("the log says %q:\n%s", trouble, log)
		}
	}
}

// LastLines returns the last lines of a log, shortened.
func LastLines(log string) string {
	const lines, length = 10, 600
	var last []string
	for line := range strings.Lines(log) {
		if len(line) > length {
			line = line[:length] + "…\n"
		}
		last = append(last, line)
	}
	return strings.Join(last[max(0, len(last)-lines):], "")
}

// Ask sends a request to the admin endpoint and returns the status and the
// body.
func (g *Gateway) Ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.Admin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(said)
}

// MustReload loads another site, or ends the test.
func (g *Gateway) MustReload(t *testing.T, site string) {
	t.Helper()
	if said, err := g.Reload(t, site); err != nil {
		t.Fatalf("reloading: %v\n%s", err, said)
	}
}

// Kill ends a gateway with SIGKILL, as the kernel does when memory runs out.
func (g *Gateway) Kill(t *testing.T) {
	t.Helper()
	if err := g.Cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-g.Exited
}

// Restart starts a gateway again after it has ended, in a new process with the
// same address and configuration.
func (g *Gateway) Restart(t *testing.T) *Gateway {
	t.Helper()
	for range 5 {
		again := &Gateway{
			Addr: g.Addr, Admin: g.Admin, Binary: g.Binary, Env: g.Env, Config: g.Config,
			Log: new(LogBook), Exited: make(chan struct{}),
		}
		again.Run(t)
		if again.Ready(t) {
			return again
		}
		if !strings.Contains(again.Log.String(), "address already in use") {
			t.Fatalf("the gateway did not start again:\n%s", again.Log)
		}
	}
	t.Fatal("five times something else took the port")
	return nil
}
