package redis

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// patience limits every wait; only a failing test waits to its end.
const patience = 20 * time.Second

// server is a real redis-server.
type server struct {
	port    string
	url     string
	dir     string
	args    []string
	process *os.Process
	owner   testing.TB     // the test that stops it
	client  rueidis.Client // of the test
}

// serve starts a server on a free port. It stores nothing on disk unless told
// to.
func serve(t testing.TB, args ...string) *server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		const hint = "redis-server is missing: install Redis 7 (Debian: apt-get install redis-server)"
		if os.Getenv("CI") == "true" {
			t.Fatal(hint)
		}
		t.Skip(hint)
	}
	s := &server{dir: t.TempDir(), args: args, owner: t}
	for range 5 {
		s.port = freePort(t)
		s.url = "redis://127.0.0.1:" + s.port
		if s.start(t) {
			return s
		}
	}
	t.Fatal("redis-server does not start")
	return nil
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// start starts the server and reports whether it listens. The port may have
// been taken meanwhile.
func (s *server) start(t testing.TB) bool {
	t.Helper()
	log, err := os.Create(s.dir + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("redis-server", append([]string{
		"--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir, "--save", "", "--appendonly", "no",
	}, s.args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.process = cmd.Process
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		<-exited
	})
	deadline := time.After(patience)
	for {
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err == nil {
			conn.Close()
			return true
		}
		select {
		case <-exited:
			return false
		case <-deadline:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// kill is kill -9.
func (s *server) kill(t testing.TB) {
	t.Helper()
	if err := s.process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, "the port to close", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.port)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

func (s *server) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := s.process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// do sends a command as an operator would.
func (s *server) do(t testing.TB, words ...string) rueidis.RedisResult {
	t.Helper()
	if s.client == nil {
		option := rueidis.MustParseURL(s.url)
		option.DisableCache, option.ForceSingleClient = true, true
		client, err := rueidis.NewClient(option)
		if err != nil {
			t.Fatal(err)
		}
		s.owner.Cleanup(client.Close)
		s.client = client
	}
	return s.client.Do(context.Background(), s.client.B().Arbitrary(words...).Build())
}

func (s *server) mustDo(t testing.TB, words ...string) string {
	t.Helper()
	message, err := s.do(t, words...).ToMessage()
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	if text, err := message.ToString(); err == nil {
		return text
	}
	if n, err := message.AsInt64(); err == nil {
		return fmt.Sprint(n)
	}
	return message.String()
}

// info returns one number of INFO.
func (s *server) info(t testing.TB, field string) (n int64) {
	t.Helper()
	for line := range strings.Lines(s.mustDo(t, "INFO", "everything")) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			_, _ = fmt.Sscan(value, &n)
		}
	}
	return n
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", patience, what)
		}
	}
}
