package e2e

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

// gateway is a running binary with one site on a free port.
type gateway struct {
	addr  string // of the site
	admin string
	log   *logBook

	binary string
	env    []string
	config string
	cmd    *exec.Cmd
	exited chan struct{}
}

// start runs the binary with the given contents of a site block. env adds to an
// otherwise bare environment; the value of every variable whose name ends in
// SECRET is a canary: the test fails if the log holds it.
func start(t *testing.T, site string, env ...string) *gateway {
	t.Helper()
	return startBinary(t, binary(t), site, env...)
}

func startBinary(t *testing.T, binary, site string, env ...string) *gateway {
	t.Helper()
	for range 5 {
		g := launch(t, binary, site, env)
		if g.ready(t) {
			return g
		}
		if !strings.Contains(g.log.String(), "address already in use") {
			t.Fatalf("the gateway did not start:\n%s", g.log)
		}
	}
	t.Fatal("five times something else took the port")
	return nil
}

func launch(t *testing.T, binary, site string, env []string) *gateway {
	t.Helper()
	dir := t.TempDir()
	port, adminPort := freePort(t), freePort(t)
	g := &gateway{
		addr:   "127.0.0.1:" + port,
		admin:  "127.0.0.1:" + adminPort,
		log:    new(logBook),
		binary: binary,
		env:    append(append(bareEnv(dir), "E2E_PORT="+port, "E2E_ADMIN_PORT="+adminPort), env...),
		config: filepath.Join(dir, "Caddyfile"),
		exited: make(chan struct{}),
	}
	g.write(t, site)
	g.run(t)
	return g
}

// run starts the process and stops it when the test has ended.
func (g *gateway) run(t *testing.T) {
	t.Helper()
	g.cmd = g.command("run", "--config", g.config)
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = g.cmd.Wait()
		close(g.exited)
		g.log.notice.raise()
	}()
	t.Cleanup(func() { g.stop(t) })
}

// bareEnv keeps the gateway away from the user's own files and variables.
func bareEnv(dir string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"),
		"HOME=" + dir,
		"XDG_DATA_HOME=" + filepath.Join(dir, "data"),
		"XDG_CONFIG_HOME=" + filepath.Join(dir, "config"),
	}
}

func (g *gateway) command(args ...string) *exec.Cmd {
	cmd := exec.Command(g.binary, args...)
	cmd.Env = g.env
	return cmd
}

// write puts the site between what every gateway here needs: an admin endpoint
// of its own, and a log that hides nothing. E2E_PROTOCOLS changes Caddy's
// default protocols, E2E_LOG_LEVEL what is logged.
func (g *gateway) write(t *testing.T, site string) {
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
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ready reports whether the configuration is served.
func (g *gateway) ready(t *testing.T) bool {
	t.Helper()
	serving := false
	await(t, &g.log.notice, "the gateway", func() bool {
		_, serving = g.log.find(func(e entry) bool { return e.text("msg") == "serving initial configuration" })
		return serving || g.gone()
	})
	return serving
}

func (g *gateway) gone() bool {
	select {
	case <-g.exited:
		return true
	default:
		return false
	}
}

// reload gives the running gateway another site, as an operator would.
func (g *gateway) reload(t *testing.T, site string) (string, error) {
	t.Helper()
	g.write(t, site)
	said, err := g.command("reload", "--config", g.config, "--address", g.admin).CombinedOutput()
	return string(said), err
}

func (g *gateway) stop(t *testing.T) {
	err := g.cmd.Process.Signal(syscall.SIGTERM)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case <-g.exited:
	case <-time.After(patience):
		t.Errorf("the gateway did not stop within %v", patience)
		_ = g.cmd.Process.Kill()
		<-g.exited
	}
	g.inspect(t)
	if t.Failed() {
		t.Logf("the gateway's log:\n%s", lastLines(g.log.String()))
	}
}

// inspect looks for what no log may ever hold.
func (g *gateway) inspect(t *testing.T) {
	log := g.log.String()
	for _, variable := range g.env {
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

// lastLines is enough of a log to see what happened, and no more.
func lastLines(log string) string {
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

// ask is a request to the admin endpoint.
func (g *gateway) ask(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+g.admin+path, strings.NewReader(body))
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

func (g *gateway) mustReload(t *testing.T, site string) {
	t.Helper()
	if said, err := g.reload(t, site); err != nil {
		t.Fatalf("reloading: %v\n%s", err, said)
	}
}

// kill ends a gateway as the kernel would that needs its memory.
func (g *gateway) kill(t *testing.T) {
	t.Helper()
	if err := g.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-g.exited
}

// restart starts a gateway that has ended once more: the same
// address, the same configuration, another process.
func (old *gateway) restart(t *testing.T) *gateway {
	t.Helper()
	for range 5 {
		g := &gateway{
			addr: old.addr, admin: old.admin, binary: old.binary, env: old.env, config: old.config,
			log: new(logBook), exited: make(chan struct{}),
		}
		g.run(t)
		if g.ready(t) {
			return g
		}
		if !strings.Contains(g.log.String(), "address already in use") {
			t.Fatalf("the gateway did not start again:\n%s", g.log)
		}
	}
	t.Fatal("five times something else took the port")
	return nil
}
