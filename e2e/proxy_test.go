package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// line runs `webhook proxy` or `webhook demo` until the test ends.
type line struct {
	*gateway
	home string
}

// startLine returns once the command says that it listens. Its environment has
// the secrets of all providers.
func startLine(t *testing.T, addr string, args ...string) *line {
	t.Helper()
	home := t.TempDir()
	g := &gateway{addr: addr, log: new(logBook), exited: make(chan struct{})}
	g.cmd = exec.Command(binary(t), append([]string{"webhook"}, args...)...)
	g.cmd.Dir = home
	g.cmd.Env = append(append(bareEnv(home), "TMPDIR="+home), secrets()...)
	g.cmd.Stdout, g.cmd.Stderr = g.log, g.log
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = g.cmd.Wait()
		close(g.exited)
		g.log.notice.raise()
	}()
	t.Cleanup(func() {
		_ = g.cmd.Process.Kill()
		<-g.exited
	})
	await(t, &g.log.notice, "the line that it listens", func() bool {
		return strings.Contains(g.log.String(), "Ctrl-C ends") || g.gone()
	})
	if g.gone() {
		t.Fatalf("it ended:\n%s", g.log)
	}
	return &line{g, home}
}

// startProxy runs a proxy for craneops and cryptr before an application.
func startProxy(t *testing.T, app *application, more ...string) *line {
	t.Helper()
	port := freePort(t)
	return startLine(t, "127.0.0.1:"+port, append([]string{
		"proxy", "--from", port, "--to", app.addr,
		"--scheme", "craneops", "--secret", "env:CRANEOPS_SECRET", "--scheme", "cryptr", "--secret", "env:CRYPTR_SECRET",
	}, more...)...)
}

// says waits for a line of the output.
func (l *line) says(t *testing.T, pattern string) {
	t.Helper()
	wanted := regexp.MustCompile("(?m)" + pattern)
	await(t, &l.log.notice, "the line "+pattern, func() bool { return wanted.MatchString(l.log.String()) })
}

// interrupt is Ctrl-C.
func (l *line) interrupt(t *testing.T) {
	t.Helper()
	if err := l.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	await(t, &l.log.notice, "the end after Ctrl-C", l.gone)
	if code := l.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit status %d after Ctrl-C:\n%s", code, l.log)
	}
	err := filepath.WalkDir(l.home, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			t.Errorf("it has left %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", l.addr); err == nil {
		conn.Close()
		t.Error("something still listens")
	}
}

func statusIs(t *testing.T, a answer, want int) {
	t.Helper()
	if a.status != want {
		t.Errorf("status %d, not %d", a.status, want)
	}
}

// TestProxy: two providers on one URL before an application, each delivery byte
// for byte and once, a line for each request, and nothing left after Ctrl-C.
func TestProxy(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	l := startProxy(t, app)
	for _, d := range []delivery{
		craneops(`{"event":"supplier.approved"}`).to("/any"),
		providers()[2].deliver(`{"code":"dir_sync.user.update.success"}`).to("/any"),
	} {
		statusIs(t, send(t, l.gateway, d), http.StatusOK)
		statusIs(t, send(t, l.gateway, d), http.StatusOK) // a duplicate
		got := app.all()
		got[len(got)-1].carries(t, d)
		forged := d.saying([]byte(`{"code":"forged"}`))
		statusIs(t, send(t, l.gateway, forged), http.StatusUnauthorized)
	}
	app.saw(t, 2)
	l.says(t, `^\d+  \d\d:\d\d:\d\d  accepted   craneops  supplier\.approved +\S+  200  \d+ms`)
	l.says(t, `^\d+  \d\d:\d\d:\d\d  duplicate  cryptr  .*  200  `)
	l.says(t, `^\d+  \d\d:\d\d:\d\d  rejected   cryptr  signature_mismatch +-  +401  `)

	// Without a signature header the first scheme says so; with several headers
	// the scheme written first decides.
	statusIs(t, send(t, l.gateway, delivery{method: "POST", path: "/", body: []byte("{}")}), http.StatusUnauthorized)
	l.says(t, `rejected   craneops  missing_signature`)
	both := providers()[2].deliver(`{"code":"both"}`).to("/").plus("X-CraneOps-Signature", strings.Repeat("0", 64))
	statusIs(t, send(t, l.gateway, both), http.StatusUnauthorized)
	l.says(t, `rejected   craneops  signature_mismatch`)
	app.saw(t, 2)
	l.interrupt(t)
}

// TestProxyPath: other paths are 404 with a line, and never reach the application.
func TestProxyPath(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	l := startProxy(t, app, "--path", "/webhook")
	statusIs(t, send(t, l.gateway, craneops(`{"n":1}`).to("/webhook")), http.StatusOK)
	statusIs(t, send(t, l.gateway, craneops(`{"n":2}`).to("/other?token=x")), http.StatusNotFound)
	l.says(t, `^-       \d\d:\d\d:\d\d  unverified  POST /other  404  \d+ms$`)
	app.saw(t, 1)
}

// TestProxyPassRest: an application with other pages gets their requests, and no
// way around the verification.
func TestProxyPassRest(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	l := startProxy(t, app, "--path", "/webhook", "--pass-rest")
	for _, path := range []string{
		"/webhook", "/webhook/", "//webhook", "/WEBHOOK", "/%77ebhook", "/%2577ebhook", "/webhook;v=1", "/;v/webhook", `/\webhook`, `/x\..\webhook`,
		"/webhook%00", "/webhook.", "/webhook.json", "/./webhook", "/x/../webhook", "/x/%2e%2e/webhook", "/x/..;a%2fb/webhook", "/webhook%0a", "/webhook%5c",
		"http://other.example/webhook", "/webhook?x=%00", "/webhook%3fx", "/%252e%252e%255cwebhook",
	} {
		d := delivery{method: "POST", path: path, body: []byte("forged")}
		if a := exchange(t, l.gateway, d.whole()); a.status != http.StatusUnauthorized && a.status != http.StatusBadRequest {
			t.Errorf("%s: status %d", path, a.status)
		}
		app.saw(t, 0)
	}
	statusIs(t, send(t, l.gateway, craneops(`{"n":1}`).to("/webhook")), http.StatusOK)

	d := delivery{method: "POST", path: "/page?x=1", body: []byte("page")}.plus("X-Own", "1")
	for _, name := range []string{"Webhook-Verdict", "webhook_verdict", "WEBHOOK.ID", "Webhook~Provider"} {
		d = d.plus(name, "accepted")
	}
	statusIs(t, exchange(t, l.gateway, d.chunked([]string{"Trailer: Webhook-Verdict, X-Sum"}, "Webhook-Verdict: accepted", "X-Sum: 1")), http.StatusOK)
	got := app.with("/page?x=1")
	if len(got) != 1 || string(got[0].body) != "page" || got[0].header.Get("X-Own") != "1" || got[0].trailer.Get("X-Sum") != "1" {
		t.Fatalf("the application received %+v", got)
	}
	for _, h := range []http.Header{got[0].header, got[0].trailer} {
		for name := range h {
			if strings.HasPrefix(strings.ToLower(name), "webhook") {
				t.Errorf("%s reached the application", name)
			}
		}
	}
}

// TestProxyObserve: everything goes on, with its verdict.
func TestProxyObserve(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	l := startProxy(t, app, "--observe")
	statusIs(t, send(t, l.gateway, craneops(`{"n":1}`).saying([]byte(`{"n":2}`)).to("/")), http.StatusOK)
	if got := app.all(); len(got) != 1 || !strings.HasPrefix(got[0].header.Get("Webhook-Verdict"), "rejected; reason=signature_mismatch") {
		t.Errorf("the application received %+v", got)
	}
}

// TestProxyRunsWhatItPrints: the Caddyfile that it prints is the configuration
// that it runs, and it has the memory limit of `run`.
func TestProxyRunsWhatItPrints(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	port, admin := freePort(t), "127.0.0.1:"+freePort(t)
	args := []string{
		"proxy", "--from", port, "--to", app.addr, "--scheme", "shopify", "--secret", "env:CRANEOPS_SECRET",
		"--scheme", "cryptr", "--secret", "env:CRYPTR_SECRET", "--path", "/hooks/*", "--pass-rest", "--admin", admin,
	}
	l := startLine(t, "127.0.0.1:"+port, args...)
	printed, code := webhook(t, "", append(args, "--print-caddyfile")...)
	if code != 0 {
		t.Fatal(printed)
	}
	file := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	adapted, err := exec.Command(binary(t), "adapt", "--config", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get("http://" + admin + "/config/")
	if err != nil {
		t.Fatal(err)
	}
	running, err := read(response, nil)
	if err != nil {
		t.Fatal(err)
	}
	var one, other any
	if err := errors.Join(json.Unmarshal(adapted, &one), json.Unmarshal(running.body, &other)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(one, other) {
		t.Errorf("it prints\n%s\nand runs\n%s", adapted, running.body)
	}
	g := start(t, openSite())
	if limit := memoryLimit(t, admin); limit == "" || limit != memoryLimit(t, g.admin) {
		t.Errorf("the limit of memory is %s, that of run %s", limit, memoryLimit(t, g.admin))
	}
	l.interrupt(t)
}

func memoryLimit(t *testing.T, admin string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^go_gc_gomemlimit_bytes (\S+)$`).FindStringSubmatch(metricsText(t, admin))
	if found == nil {
		return ""
	}
	return found[1]
}

// TestProxyListens: on this machine only, without an admin endpoint.
func TestProxyListens(t *testing.T) {
	t.Parallel()
	needs(t, "ss")
	l := startProxy(t, newApplication(t))
	said, err := exec.Command("ss", "-Hltnp").Output()
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for row := range strings.Lines(string(said)) {
		if strings.Contains(row, fmt.Sprintf("pid=%d,", l.cmd.Process.Pid)) {
			own = append(own, strings.Fields(row)[3])
		}
	}
	if len(own) != 1 || own[0] != l.addr {
		t.Errorf("it listens on %v", own)
	}
}

// TestDemo: beside whatever uses its ports, the demo prints a line that works as
// pasted, and ends without a trace.
func TestDemo(t *testing.T) {
	t.Parallel()
	needs(t, "bash")
	for _, addr := range []string{"127.0.0.1:8080", "127.0.0.1:9000"} {
		if l, err := net.Listen("tcp", addr); err == nil {
			defer l.Close()
		} else if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
	l := startLine(t, "", "demo")
	found := regexp.MustCompile(`(?m)^  (echo .* --to http://(localhost:\d+)/.*)$`).FindStringSubmatch(l.log.String())
	if found == nil || found[2] == "localhost:8080" {
		t.Fatalf("it prints\n%s", l.log)
	}
	l.addr = found[2]
	paste := func(script string) (string, bool) {
		said, err := exec.Command("bash", "-c", script).CombinedOutput()
		return string(said), err == nil
	}
	if said, ok := paste(found[1]); !ok || !strings.Contains(said, "The application received POST /easytools") {
		t.Errorf("the line that it prints: %s", said)
	}
	l.says(t, `accepted   easytools  subscription_created`)
	if said, ok := paste(found[1]); !ok || strings.Contains(said, "received") {
		t.Errorf("the same again: %s", said)
	}
	l.says(t, `duplicate  easytools`)
	if said, ok := paste(strings.Replace(found[1], "demo-easytools-secret", "wrong", 1)); ok || !strings.Contains(said, "401") {
		t.Errorf("a forgery: %s", said)
	}
	l.says(t, `rejected   easytools  signature_mismatch`)
	l.interrupt(t)
}
