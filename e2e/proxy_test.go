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

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// line runs `webhook proxy` or `webhook demo` until the test ends.
type line struct {
	*harness.Gateway
	home string
}

// startLine starts the command and waits until it listens. Its environment
// contains the secrets of all providers.
func startLine(t *testing.T, addr string, args ...string) *line {
	t.Helper()
	return startLineWith(t, addr, nil, args...)
}

// startLineWith is like startLine, with more environment variables.
func startLineWith(t *testing.T, addr string, env []string, args ...string) *line {
	t.Helper()
	home := t.TempDir()
	g := &harness.Gateway{Addr: addr, Log: new(harness.LogBook), Exited: make(chan struct{})}
	g.Cmd = exec.Command(harness.Binary(t), append([]string{"webhook"}, args...)...)
	g.Cmd.Dir = home
	g.Cmd.Env = append(append(harness.BareEnv(home), "TMPDIR="+home), append(harness.Secrets(), env...)...)
	g.Cmd.Stdout, g.Cmd.Stderr = g.Log, g.Log
	if err := g.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = g.Cmd.Wait()
		close(g.Exited)
		g.Log.Notice.Raise()
	}()
	t.Cleanup(func() {
		_ = g.Cmd.Process.Kill()
		<-g.Exited
	})
	harness.Await(t, &g.Log.Notice, "the line that it listens", func() bool {
		return strings.Contains(g.Log.String(), "Ctrl-C ends") || g.Gone()
	})
	if g.Gone() {
		t.Fatalf("it ended:\n%s", g.Log)
	}
	return &line{g, home}
}

// startProxy runs a proxy for craneops and cryptr before an application.
func startProxy(t *testing.T, app *harness.Application, more ...string) *line {
	t.Helper()
	port := harness.FreePort(t)
	return startLine(t, "127.0.0.1:"+port, append([]string{
		"proxy", "--from", port, "--to", app.Addr,
		"--scheme", "craneops", "--secret", "env:CRANEOPS_SECRET", "--scheme", "cryptr", "--secret", "env:CRYPTR_SECRET",
	}, more...)...)
}

// says waits for a line of the output.
func (l *line) says(t *testing.T, pattern string) {
	t.Helper()
	wanted := regexp.MustCompile("(?m)" + pattern)
	harness.Await(t, &l.Log.Notice, "the line "+pattern, func() bool { return wanted.MatchString(l.Log.String()) })
}

// interrupt sends the signal of Ctrl-C.
func (l *line) interrupt(t *testing.T) {
	t.Helper()
	if err := l.Cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	harness.Await(t, &l.Log.Notice, "the end after Ctrl-C", l.Gone)
	if code := l.Cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit status %d after Ctrl-C:\n%s", code, l.Log)
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
	if conn, err := net.Dial("tcp", l.Addr); err == nil {
		conn.Close()
		t.Error("something still listens")
	}
}

func statusIs(t *testing.T, a harness.Answer, want int) {
	t.Helper()
	if a.Status != want {
		t.Errorf("status %d, not %d", a.Status, want)
	}
}

// TestProxyEnds: after Ctrl-C it says what is still being handled and what waits in
// the inbox, and waits for the former.
func TestProxyEnds(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	inbox := filepath.Join(t.TempDir(), "in box")
	l := startProxy(t, app, "--inbox", inbox)
	app.Answers(harness.Status(http.StatusServiceUnavailable))
	for _, text := range []string{`{"n":1}`, `{"n":2}`} {
		statusIs(t, l.Send(t, harness.CraneOps(text)), http.StatusOK)
	}
	l.says(t, "kept")
	release := make(chan struct{})
	app.Answers(harness.Until(release, http.StatusOK))
	answered := make(chan int, 1)
	before := app.Arrivals()
	go func() {
		a, err := harness.SendGo(t, l.Gateway, harness.CraneOps(`{"n":3}`))
		if err != nil {
			t.Error(err)
		}
		answered <- a.Status
	}()
	app.AwaitArrivals(t, before+1)
	if err := l.Cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	l.says(t, `^Ending: [1-9] requests? (is|are) being handled, for at most 10 more seconds; 2 events wait in the inbox .*in box for the next start with it\.$`)
	close(release)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the one that was being handled: status %d", status)
	}
	harness.Await(t, &l.Log.Notice, "the end", l.Gone)

	idle := startProxy(t, app)
	idle.interrupt(t)
	if !strings.Contains(idle.Log.String(), "Ending: nothing waits.\n") {
		t.Error(idle.Log)
	}
}

// TestProxyThatCannotStart says which option is wrong and what to write.
func TestProxyThatCannotStart(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	folder := t.TempDir()
	for option, want := range map[string]string{
		"--admin " + port:               "Error: --admin: cannot listen on port " + port,
		"--inbox " + folder:             "Error: --inbox: " + folder + " is a folder; write the name of a file in it",
		"--inbox " + folder + "/no/box": "Error: --inbox: there is no folder " + folder + "/no; make it first",
		"--inbox /proc/hooklatch":       "Error: --inbox: nothing can be written in the folder /proc",
	} {
		args := append([]string{"proxy", "--from", harness.FreePort(t), "--to", "1", "--scheme", "craneops", "--secret", "env:CRANEOPS_SECRET"}, strings.Fields(option)...)
		if said, code := webhook(t, "", args...); code != 1 || !strings.HasPrefix(said, want) || strings.Count(said, "\n") != 1 {
			t.Errorf("%s: exit status %d: %s", option, code, said)
		}
	}
	if said, code := webhook(t, "", "demo", "--admin", port); code != 1 || !strings.HasPrefix(said, "Error: --admin: cannot listen on port "+port) {
		t.Errorf("demo: exit status %d: %s", code, said)
	}
}

// TestProxyAsksNoOtherProxy: verified deliveries are not sent through
// HTTP_PROXY.
func TestProxyAsksNoOtherProxy(t *testing.T) {
	t.Parallel()
	other := harness.NewApplication(t)
	port := harness.FreePort(t)
	l := startLineWith(t, "127.0.0.1:"+port, []string{"HTTP_PROXY=http://" + other.Addr},
		"proxy", "--from", port, "--to", "app.invalid:3000", "--path", "/hook", "--pass-rest", "--scheme", "craneops", "--secret", "env:CRANEOPS_SECRET")
	for _, path := range []string{"/hook", "/rest"} {
		statusIs(t, l.Send(t, harness.CraneOps(`{"event":"supplier.approved"}`).To(path)), http.StatusBadGateway)
	}
	other.Saw(t, 0)
}

// TestProxy: with two providers on one URL, each delivery reaches the
// application once and byte for byte. Each request is a line, and Ctrl-C leaves
// nothing.
func TestProxy(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	l := startProxy(t, app)
	for _, d := range []harness.Delivery{
		harness.CraneOps(`{"event":"supplier.approved"}`).To("/any"),
		harness.Providers()[2].Deliver(`{"code":"dir_sync.user.update.success"}`).To("/any"),
	} {
		statusIs(t, l.Send(t, d), http.StatusOK)
		statusIs(t, l.Send(t, d), http.StatusOK) // a duplicate
		got := app.All()
		got[len(got)-1].Carries(t, d)
		forged := d.Saying([]byte(`{"code":"forged"}`))
		statusIs(t, l.Send(t, forged), http.StatusUnauthorized)
	}
	app.Saw(t, 2)
	l.says(t, `^\d+  \d\d:\d\d:\d\d  accepted   craneops  supplier\.approved +\S+  200  \d+ms`)
	l.says(t, `^\d+  \d\d:\d\d:\d\d  duplicate  cryptr  .*  200  `)
	l.says(t, `^\d+  \d\d:\d\d:\d\d  rejected   cryptr  signature_mismatch +-  +401  `)

	// Without a signature header the first scheme reports it; with several
	// headers the scheme written first decides.
	statusIs(t, l.Send(t, harness.Delivery{Method: "POST", Path: "/", Body: []byte("{}")}), http.StatusUnauthorized)
	l.says(t, `rejected   craneops  missing_signature`)
	both := harness.Providers()[2].Deliver(`{"code":"both"}`).To("/").Plus("X-CraneOps-Signature", strings.Repeat("0", 64))
	statusIs(t, l.Send(t, both), http.StatusUnauthorized)
	l.says(t, `rejected   craneops  signature_mismatch`)
	app.Saw(t, 2)
	l.interrupt(t)
}

// TestProxyPath: requests for other paths get 404 and a line, and never reach
// the application.
func TestProxyPath(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	l := startProxy(t, app, "--path", "/webhook")
	statusIs(t, l.Send(t, harness.CraneOps(`{"n":1}`).To("/webhook")), http.StatusOK)
	statusIs(t, l.Send(t, harness.CraneOps(`{"n":2}`).To("/other?token=x")), http.StatusNotFound)
	l.says(t, `^-       \d\d:\d\d:\d\d  unverified  POST /other  404  \d+ms$`)
	app.Saw(t, 1)
}

// TestProxyPassRest: the application gets requests for its other pages, but
// none that bypass verification.
func TestProxyPassRest(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	l := startProxy(t, app, "--path", "/webhook", "--pass-rest")
	for _, path := range []string{
		"/webhook", "/webhook/", "//webhook", "/WEBHOOK", "/%77ebhook", "/%2577ebhook", "/webhook;v=1", "/;v/webhook", `/\webhook`, `/x\..\webhook`,
		"/webhook%00", "/webhook.", "/webhook.json", "/./webhook", "/x/../webhook", "/x/%2e%2e/webhook", "/x/..;a%2fb/webhook", "/webhook%0a", "/webhook%5c",
		"http://other.example/webhook", "/webhook?x=%00", "/webhook%3fx", "/%252e%252e%255cwebhook",
		"x:http://app/webhook", "x:webhook", "//y/webhook", "///y/webhook", "//u:p@y:80/webhook", "/index.php/webhook", "/webhook%c2%a0", "/webhook+",
	} {
		d := harness.Delivery{Method: "POST", Path: path, Body: []byte("forged")}
		if a := l.Exchange(t, d.Whole()); a.Status != http.StatusUnauthorized && a.Status != http.StatusBadRequest {
			t.Errorf("%s: status %d", path, a.Status)
		}
		app.Saw(t, 0)
	}
	statusIs(t, l.Send(t, harness.CraneOps(`{"n":1}`).To("/webhook")), http.StatusOK)

	d := harness.Delivery{Method: "POST", Path: "/page?x=1", Body: []byte("page")}.Plus("X-Own", "1")
	for _, name := range []string{"Webhook-Verdict", "webhook_verdict", "WEBHOOK.ID", "Webhook~Provider"} {
		d = d.Plus(name, "accepted")
	}
	statusIs(t, l.Exchange(t, d.Chunked([]string{"Trailer: Webhook-Verdict, X-Sum"}, "Webhook-Verdict: accepted", "X-Sum: 1")), http.StatusOK)
	got := app.With("/page?x=1")
	if len(got) != 1 || string(got[0].Body) != "page" || got[0].Header.Get("X-Own") != "1" || got[0].Trailer.Get("X-Sum") != "1" {
		t.Fatalf("the application received %+v", got)
	}
	for _, h := range []http.Header{got[0].Header, got[0].Trailer} {
		for name := range h {
			if strings.HasPrefix(strings.ToLower(name), "webhook") {
				t.Errorf("%s reached the application", name)
			}
		}
	}
}

// TestProxyKeeps: with an inbox, an event survives while the application is
// down, even past the end of the command, and the page shows it with its body.
func TestProxyKeeps(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	app.Answers(harness.Status(http.StatusServiceUnavailable))
	inbox := filepath.Join(t.TempDir(), "inbox.db")
	options := []string{"--inbox", inbox, "--capture", "--page", "127.0.0.1:0"}
	l := startProxy(t, app, options...)
	d := harness.CraneOps(`{"event":"supplier.approved"}`).To("/any")
	statusIs(t, l.Send(t, d), http.StatusOK)
	l.says(t, `accepted   craneops  supplier\.approved .*  kept in the inbox$`)

	page := l.page(t)
	if list := pageText(t, page); !strings.Contains(list, "supplier.approved") {
		t.Errorf("the page shows\n%s", list)
	}
	number := regexp.MustCompile(`(?m)^(\d+) .*supplier\.approved`).FindStringSubmatch(l.Log.String())[1]
	if shown := pageText(t, page+number); !strings.Contains(shown, "supplier.approved") || !strings.Contains(shown, "X-Craneops-Signature") {
		t.Errorf("the page of the delivery shows\n%s", shown)
	}
	l.interrupt(t)

	app.Answers(harness.Status(http.StatusOK))
	before := len(app.All())
	l = startProxy(t, app, options...)
	app.AwaitBodies(t, before+1).Carries(t, d)
	l.says(t, `accepted   craneops  supplier\.approved .*  attempt \d+ of the inbox delivered it$`)
	l.interrupt(t)
	if n := len(app.All()); n != before+1 {
		t.Errorf("the application received %d requests once it was up, not one", n-before)
	}
}

// page returns the address of the page that the command prints.
func (l *line) page(t *testing.T) string {
	t.Helper()
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+/[a-z0-9]{26}/`).FindString(l.Log.String())
	if url == "" {
		t.Fatalf("it prints no page:\n%s", l.Log)
	}
	return url
}

func pageText(t *testing.T, url string) string {
	t.Helper()
	a, err := harness.Read(http.Get(url))
	if err != nil || a.Status != http.StatusOK {
		t.Fatalf("%s: %d, %v", url, a.Status, err)
	}
	return string(a.Body)
}

// TestProxyPageTaken: if the page's port is in use, the command fails before
// anything runs.
func TestProxyPageTaken(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	said, code := webhook(t, "", "proxy", "--from", harness.FreePort(t), "--to", "1", "--scheme", "stripe", "--secret", "k", "--page", taken.Addr().String())
	if code != 1 || !strings.Contains(said, "the page cannot be served on "+taken.Addr().String()) || strings.Contains(said, "Listening") {
		t.Errorf("exit status %d: %s", code, said)
	}
}

// TestProxyObserve: every request is passed on with its verdict.
func TestProxyObserve(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	l := startProxy(t, app, "--observe")
	statusIs(t, l.Send(t, harness.CraneOps(`{"n":1}`).Saying([]byte(`{"n":2}`)).To("/")), http.StatusOK)
	if got := app.All(); len(got) != 1 || !strings.HasPrefix(got[0].Header.Get("Webhook-Verdict"), "rejected; reason=signature_mismatch") {
		t.Errorf("the application received %+v", got)
	}
}

// TestProxyRunsWhatItPrints: the Caddyfile that it prints is the configuration
// that it runs, and it has the memory limit of `run`.
func TestProxyRunsWhatItPrints(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	port, admin := harness.FreePort(t), "127.0.0.1:"+harness.FreePort(t)
	args := []string{
		"proxy", "--from", port, "--to", app.Addr, "--scheme", "shopify", "--secret", "env:CRANEOPS_SECRET",
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
	adapted, err := exec.Command(harness.Binary(t), "adapt", "--config", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get("http://" + admin + "/config/")
	if err != nil {
		t.Fatal(err)
	}
	running, err := harness.Read(response, nil)
	if err != nil {
		t.Fatal(err)
	}
	var one, other any
	if err := errors.Join(json.Unmarshal(adapted, &one), json.Unmarshal(running.Body, &other)); err != nil {
		t.Fatal(err)
	}
	for _, config := range []any{one, other} {
		withoutLogs(config.(map[string]any))
	}
	if !reflect.DeepEqual(one, other) {
		t.Errorf("it prints\n%s\nand runs\n%s", adapted, running.Body)
	}
	g := harness.Start(t, harness.OpenSite())
	if limit := memoryLimit(t, admin); limit == "" || limit != memoryLimit(t, g.Admin) {
		t.Errorf("the limit of memory is %s, that of run %s", limit, memoryLimit(t, g.Admin))
	}
	l.interrupt(t)
}

// withoutLogs removes what a configuration says of logs: what runs as a command
// prints lines instead.
func withoutLogs(config map[string]any) {
	delete(config, "logging")
	servers := config["apps"].(map[string]any)["http"].(map[string]any)["servers"].(map[string]any)
	for _, server := range servers {
		delete(server.(map[string]any), "logs")
	}
}

// TestPrintedConfigurationLogs: what the command prints as lines is in the log of
// the configuration that it prints, without signatures and queries.
func TestPrintedConfigurationLogs(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	port := harness.FreePort(t)
	printed, code := webhook(t, "", "proxy", "--from", port, "--to", app.Addr, "--scheme", "craneops", "--secret", "env:CRANEOPS_SECRET",
		"--path", "/hook", "--print-caddyfile")
	if code != 0 {
		t.Fatal(printed)
	}
	dir := t.TempDir()
	g := &harness.Gateway{
		Addr: "127.0.0.1:" + port, Log: new(harness.LogBook), Binary: harness.Binary(t),
		Env: append(harness.BareEnv(dir), harness.Secrets()...), Config: filepath.Join(dir, "Caddyfile"), Exited: make(chan struct{}),
	}
	if err := os.WriteFile(g.Config, []byte(printed), 0o600); err != nil {
		t.Fatal(err)
	}
	g.Run(t)
	entry := func(what, key, value string) {
		t.Helper()
		g.Log.Await(t, what, func(e harness.Entry) bool { return e.Text(key) == value })
	}
	entry("the start", "msg", "serving initial configuration")
	d := harness.CraneOps(`{"event":"supplier.approved"}`).To("/hook?q=e2e-canary-query-9Wx3")
	statusIs(t, g.Send(t, d), http.StatusOK)
	entry("the accepted one", "webhook_verdict", "accepted")
	statusIs(t, g.Send(t, d.Saying([]byte("forged"))), http.StatusUnauthorized)
	entry("the rejection", "msg", "delivery rejected: signature_mismatch")
	entry("the rejected request", "webhook_reason", "signature_mismatch")
	statusIs(t, g.Send(t, d.To("/other")), http.StatusNotFound)
	for _, secret := range []string{d.Get("X-CraneOps-Signature"), "e2e-canary-query-9Wx3"} {
		if strings.Contains(g.Log.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}

func memoryLimit(t *testing.T, admin string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^go_gc_gomemlimit_bytes (\S+)$`).FindStringSubmatch(harness.MetricsText(t, admin))
	if found == nil {
		return ""
	}
	return found[1]
}

// TestProxyListens: the proxy listens only on this machine, and has no admin
// endpoint.
func TestProxyListens(t *testing.T) {
	t.Parallel()
	harness.Needs(t, "ss")
	l := startProxy(t, harness.NewApplication(t))
	said, err := exec.Command("ss", "-Hltnp").Output()
	if err != nil {
		t.Fatal(err)
	}
	var own []string
	for row := range strings.Lines(string(said)) {
		if strings.Contains(row, fmt.Sprintf("pid=%d,", l.Cmd.Process.Pid)) {
			own = append(own, strings.Fields(row)[3])
		}
	}
	if len(own) != 1 || own[0] != l.Addr {
		t.Errorf("it listens on %v", own)
	}
}

// TestDemo: even if its ports are in use, the demo prints a command that works
// when pasted, and it ends without leaving files.
func TestDemo(t *testing.T) {
	t.Parallel()
	harness.Needs(t, "bash")
	for _, addr := range []string{"127.0.0.1:8080", "127.0.0.1:9000"} {
		if l, err := net.Listen("tcp", addr); err == nil {
			defer l.Close()
		} else if !errors.Is(err, syscall.EADDRINUSE) {
			t.Fatal(err)
		}
	}
	l := startLine(t, "", "demo")
	found := regexp.MustCompile(`(?m)^  (echo .* --to http://(localhost:\d+)/.*)$`).FindStringSubmatch(l.Log.String())
	if found == nil || found[2] == "localhost:8080" {
		t.Fatalf("it prints\n%s", l.Log)
	}
	l.Addr = found[2]
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
	if list := pageText(t, l.page(t)+"?verdict=rejected"); !strings.Contains(list, "signature_mismatch") {
		t.Errorf("the page shows\n%s", list)
	}
	l.interrupt(t)
}
