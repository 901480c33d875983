package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// reader follows a page in its own folder, as a user with the repository and
// hooklatch installed would.
type reader struct {
	dir  string
	env  map[string]string
	said string // output of the last command

	ports   map[string]string // this machine's ports, by those on the page
	free    func() string     // another one
	apps    []*harness.Application
	running []*background
}

// background is a command that runs until the page ends.
type background struct {
	name   string
	cmd    *exec.Cmd
	log    *harness.LogBook
	exited chan struct{}
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{dir: t.TempDir(), env: map[string]string{}, ports: map[string]string{}, free: func() string { return harness.FreePort(t) }}
	for _, folder := range []string{"bin", "secrets", "state"} {
		if err := os.Mkdir(filepath.Join(r.dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(harness.Binary(t), filepath.Join(r.dir, "bin", "hooklatch")); err != nil {
		t.Fatal(err)
	}
	for _, port := range []string{"3000", "3001"} {
		app := harness.NewApplication(t)
		r.apps = append(r.apps, app)
		_, r.ports[port], _ = strings.Cut(app.Addr, ":")
	}
	r.copyExamples(t)
	t.Cleanup(func() { r.stop(t) })
	return r
}

// copyExamples copies the examples with this machine's ports.
func (r *reader) copyExamples(t *testing.T) {
	t.Helper()
	if err := os.CopyFS(filepath.Join(r.dir, "examples"), os.DirFS("../examples")); err != nil {
		t.Fatal(err)
	}
	caddyfiles, err := filepath.Glob(filepath.Join(r.dir, "examples/*/Caddyfile"))
	if err != nil || len(caddyfiles) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, path := range caddyfiles {
		if err := os.WriteFile(path, []byte(r.here(contents(t, path))), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// delivered returns the number of deliveries that have reached the
// applications.
func (r *reader) delivered() int {
	sum := 0
	for _, app := range r.apps {
		sum += app.Arrivals()
	}
	return sum
}

var (
	hostAndPort = regexp.MustCompile(`(?:localhost|127\.0\.0\.1|\bapp):(\d{4})\b`)
	onlyPort    = regexp.MustCompile(`(?m)(^|"|\s):(\d{4})("| \{)`)
)

// here replaces a page's addresses and paths with those of this machine.
func (r *reader) here(text string) string {
	text = strings.ReplaceAll(text, "https://hooks.example.com", "http://localhost:8080")
	text = strings.ReplaceAll(text, "hooks.example.com", "http://localhost:8080")
	text = strings.ReplaceAll(text, "/run/secrets", filepath.Join(r.dir, "secrets"))
	text = strings.ReplaceAll(text, "/var/lib/hooklatch", filepath.Join(r.dir, "state"))
	text = hostAndPort.ReplaceAllStringFunc(text, func(addr string) string {
		_, port, _ := strings.Cut(addr, ":")
		return "127.0.0.1:" + r.port(port)
	})
	return onlyPort.ReplaceAllStringFunc(text, func(found string) string {
		part := onlyPort.FindStringSubmatch(found)
		return part[1] + ":" + r.port(part[2]) + part[3]
	})
}

func (r *reader) port(onPage string) string {
	if r.ports[onPage] == "" {
		r.ports[onPage] = r.free()
	}
	return r.ports[onPage]
}

// there does the reverse, for the output of a command.
func (r *reader) there(text string) string {
	for onPage, port := range r.ports {
		text = strings.ReplaceAll(text, "127.0.0.1:"+port, "localhost:"+onPage)
	}
	return text
}

var secretVariables = regexp.MustCompile(`\{env\.([A-Z0-9_]+_SECRET)\}`)

// provide sets each secret that a configuration reads from a variable and the
// page does not set. The value is base64, which every scheme accepts.
func (r *reader) provide(configuration string) {
	for _, found := range secretVariables.FindAllStringSubmatch(configuration, -1) {
		if name := found[1]; r.env[name] == "" {
			r.env[name] = "c2VjcmV0IG9mIGEgcGFnZSBvZiB0aGUgZG9jdW1lbnRhdGlvbg=="
		}
	}
}

func (r *reader) write(name, text string) error {
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(r.here(text)), 0o600)
}

// shell prepares a script. Its exports and its working directory are kept for
// the next one.
func (r *reader) shell(script string) *exec.Cmd {
	state := filepath.Join(r.dir, ".state")
	cmd := exec.Command("bash", "-c", fmt.Sprintf(
		"[ -f %[1]q ] && . %[1]q\ntrap 'code=$?; { export -p; echo \"cd $(printf %%q \"$PWD\")\"; } > %[1]q; exit $code' EXIT\nset -eo pipefail\n%[2]s",
		state, script))
	cmd.Dir = r.dir
	cmd.Env = append(harness.BareEnv(r.dir),
		"PATH="+filepath.Join(r.dir, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"),
		"CADDY_ADMIN=127.0.0.1:"+r.port("2019"))
	for _, name := range slices.Sorted(maps.Keys(r.env)) {
		cmd.Env = append(cmd.Env, name+"="+r.env[name])
	}
	return cmd
}

// bash runs a script to its end. It must end soon: blocks that keep running are
// marked as background.
func (r *reader) bash(script string) (string, int) {
	cmd := r.shell(script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		return err.Error(), -1
	}
	late := time.AfterFunc(3*harness.Patience, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	_ = cmd.Wait() // the exit status tells the same
	return said.String(), cmd.ProcessState.ExitCode()
}

// run runs the commands of a block.
func (r *reader) run(t *testing.T, s step) error {
	t.Helper()
	script := r.here(s.text)
	if command, ok := s.marks["background"]; ok {
		if command != "" {
			script = r.here(command)
		}
		return r.start(t, script)
	}
	said, code := r.bash(script)
	// During a reload Caddy may cut a connection without an answer. Like a
	// provider, the test then sends again.
	for range 5 {
		if !strings.Contains(said, "no answer") {
			break
		}
		said, code = r.bash(script)
	}
	r.said = r.there(said)
	want := 0
	if exit, ok := s.marks["exit"]; ok {
		if _, err := fmt.Sscan(exit, &want); err != nil {
			return fmt.Errorf("exit: %w", err)
		}
	}
	if code != want {
		return fmt.Errorf("%s: exit status %d, not %d:\n%s", strings.TrimSpace(s.text), code, want, said)
	}
	return nil
}

// start runs a gateway until the page ends, and waits until it serves.
func (r *reader) start(t *testing.T, script string) error {
	t.Helper()
	name := strings.TrimSpace(script)
	b := &background{name: name, cmd: r.shell("exec " + name), log: new(harness.LogBook), exited: make(chan struct{})}
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	if err := b.cmd.Start(); err != nil {
		return err
	}
	r.running = append(r.running, b)
	go func() {
		_ = b.cmd.Wait()
		close(b.exited)
		b.log.Notice.Raise()
	}()
	harness.Await(t, &b.log.Notice, name, func() bool { return b.serving() || b.gone() })
	if !b.serving() {
		return fmt.Errorf("%s ended:\n%s", name, harness.LastLines(b.log.String()))
	}
	return nil
}

func (b *background) serving() bool {
	said := b.log.String()
	return strings.Contains(said, "serving initial configuration") || strings.Contains(said, "Ctrl-C ends")
}

func (b *background) gone() bool {
	select {
	case <-b.exited:
		return true
	default:
		return false
	}
}

// stop ends the commands that still run.
func (r *reader) stop(t *testing.T) {
	for _, b := range r.running {
		_ = b.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-b.exited:
		case <-time.After(harness.Patience):
			t.Errorf("%s did not stop within %v", b.name, harness.Patience)
			_ = b.cmd.Process.Kill()
			<-b.exited
		}
		if t.Failed() {
			t.Logf("the log of %s:\n%s", b.name, harness.LastLines(b.log.String()))
		}
	}
}
