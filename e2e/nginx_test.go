package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestBehindNginx runs nginx with the location that the documentation shows, for
// signatures of the body and of the URL.
func TestBehindNginx(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/craneops", "craneops", app.Addr),
		harness.Route("/square", harness.Verify("square", "SQUARE_SECRET", "public_url https://hooks.example.com"), "reverse_proxy "+app.Addr),
	), append(harness.Secrets(), "SQUARE_SECRET="+squareSecret)...)
	front := &harness.Gateway{Addr: startNginx(t, g.Addr)}

	large := fmt.Sprintf(`{"n":%q}`, strings.Repeat("x", 5<<20-20))
	for _, body := range []string{`{"n":1}`, "{\"n\":\"\\u00fc \xff\x00\r\n\"}", large} {
		d := harness.CraneOps(body).To("/craneops")
		front.Send(t, d).Accepted(t)
		got := app.All()
		got[len(got)-1].Carries(t, d)
		front.Send(t, d).Duplicate(t)
	}
	front.Send(t, harness.CraneOps(`{"n":2}`).Saying([]byte(`{"n":3}`)).To("/craneops")).Rejected(t, "signature_mismatch")

	// The event is the same each time, so only that of the first URL is
	// forwarded. The others are duplicates, which shows that their signatures
	// are right.
	for i, uri := range []string{"/square?a=%20b&c", "/square/%2f/%7Ex?", "/square//a/../b"} {
		answer := front.Send(t, squareFor("https://hooks.example.com"+uri, uri))
		if i == 0 {
			answer.Accepted(t)
		} else {
			answer.Duplicate(t)
		}
	}
	front.Send(t, squareFor("https://hooks.example.com/square?x=1", "/square?x=2")).Rejected(t, "signature_mismatch")
	app.Saw(t, 4)
}

// startNginx starts nginx before a gateway, with a location for each path of a
// delivery, and returns its address.
func startNginx(t *testing.T, gateway string) string {
	t.Helper()
	harness.Needs(t, "nginx")
	steps, err := readPage("../docs/behind-a-proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	var location string
	for _, s := range steps {
		if s.language == "nginx" {
			location = replaced(t, s.text, []string{"127.0.0.1:8080", gateway})
		}
	}
	addr, dir := "127.0.0.1:"+harness.FreePort(t), t.TempDir()
	square := replaced(t, location, []string{"location /craneops", "location /square"})
	config := "daemon off; worker_processes 1; pid " + dir + "/pid;\nevents {}\nhttp {\naccess_log off;\n"
	if os.Getuid() == 0 {
		config = "user root; " + config // its workers write into the folder
	}
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		config += kind + "_temp_path " + filepath.Join(dir, kind) + ";\n"
	}
	config += "server {\nlisten " + addr + ";\n" + location + "\n" + square + "\n}\n}\n"
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log := new(harness.LogBook)
	cmd := exec.Command("nginx", "-e", "stderr", "-p", dir, "-c", file)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // its workers end with it
		<-exited
	})
	harness.Poll(t, "nginx", func() bool {
		select {
		case <-exited:
			t.Fatalf("nginx ended:\n%s", log)
		default:
		}
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return addr
}
