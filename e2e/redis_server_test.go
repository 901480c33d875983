package e2e

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// redisPassword is a canary too. The gateways get it in their environment.
const redisPassword = "e2e-canary-redis-6Hs1Vt0Z"

// redisServer is a real Redis on its own port.
type redisServer struct {
	port   string
	dir    string
	args   []string
	cmd    *exec.Cmd
	exited chan struct{}
}

// startRedis starts a Redis with a password. It keeps nothing on disk unless
// the arguments say so.
func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	return startRedisAt(t, harness.FreePort(t), t.TempDir(), append([]string{
		"--bind", "127.0.0.1", "--save", "", "--requirepass", redisPassword, "--masterauth", redisPassword,
	}, args...)...)
}

func startRedisAt(t *testing.T, port, dir string, args ...string) *redisServer {
	t.Helper()
	harness.Needs(t, "redis-server")
	s := &redisServer{port: port, dir: dir, args: append(args, "--port", port, "--dir", dir)}
	s.start(t)
	return s
}

func (s *redisServer) addr() string { return "127.0.0.1:" + s.port }
func (s *redisServer) url() string  { return "redis://:" + redisPassword + "@" + s.addr() }

// rights are the rights that a gateway's user needs, as in
// examples/replay-redis.
const rights = "resetkeys ~hooklatch:* resetchannels -@all +get +set +del +pexpire +eval +evalsha +ping +cluster|slots +cluster|shards"

// addUser adds a user with few rights, and returns the user part of its URL.
func (s *redisServer) addUser(t *testing.T, more ...string) string {
	t.Helper()
	words := append([]string{"ACL", "SETUSER", "gateway", "on", ">" + redisPassword}, strings.Fields(rights)...)
	s.mustAsk(t, append(words, more...)...)
	return "gateway:" + redisPassword + "@"
}

// redisEnv returns the environment variables with which a gateway finds its
// Redis.
func redisEnv(url string) []string {
	return append(harness.Secrets(), "REDIS_URL_SECRET="+url, "REDIS_PASSWORD_SECRET="+redisPassword, "E2E_LOG_LEVEL=INFO")
}

// start starts the server, also after a kill, and waits until it answers.
func (s *redisServer) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd, exited := exec.Command("redis-server", s.args...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(exited)
	}()
	s.cmd, s.exited = cmd, exited
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-exited
	})
	harness.Poll(t, "redis-server", func() bool {
		select {
		case <-exited:
			t.Fatalf("redis-server does not start:\n%s", contents(t, log.Name()))
		default:
		}
		said, err := s.ask("PING")
		return err == nil && said == "PONG"
	})
}

// kill is kill -9.
func (s *redisServer) kill(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.exited
}

// ask sends a command on a new connection. It returns the elements of an array
// one per line.
func (s *redisServer) ask(words ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", s.addr(), harness.Patience)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(harness.Patience)); err != nil {
		return "", err
	}
	in := bufio.NewReader(conn)
	for _, command := range [][]string{{"AUTH", redisPassword}, words} {
		var b strings.Builder
		fmt.Fprintf(&b, "*%d\r\n", len(command))
		for _, word := range command {
			fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
		}
		if _, err := io.WriteString(conn, b.String()); err != nil {
			return "", err
		}
		said, err := readRedis(in)
		// A Sentinel has no password, and says so.
		if command[0] != "AUTH" || err != nil && !strings.HasPrefix(err.Error(), "ERR") {
			return said, err
		}
	}
	return "", nil
}

func (s *redisServer) mustAsk(t *testing.T, words ...string) string {
	t.Helper()
	said, err := s.ask(words...)
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	return said
}

func readRedis(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	kind, text := line[0], strings.TrimRight(line[1:], "\r\n")
	switch kind {
	case '-':
		return "", errors.New(text)
	case '$':
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return "", err
		}
		value := make([]byte, n+2)
		_, err = io.ReadFull(in, value)
		return string(value[:n]), err
	case '*':
		n, err := strconv.Atoi(text)
		if err != nil {
			return "", err
		}
		var lines []string
		for range n {
			element, err := readRedis(in)
			if err != nil {
				return "", err
			}
			lines = append(lines, element)
		}
		return strings.Join(lines, "\n"), nil
	default:
		return text, nil
	}
}
