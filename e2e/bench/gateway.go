package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const secret = "bench-secret"

// gateway is a running binary with Caddy's defaults, but for its ports.
type gateway struct {
	addr  string
	admin string
	cmd   *exec.Cmd
	dir   string
}

func startGateway(binary, upstream string) (*gateway, error) {
	dir, err := os.MkdirTemp("", "hooklatch-bench-")
	if err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	adminPort, err := freePort()
	if err != nil {
		return nil, err
	}
	g := &gateway{addr: "127.0.0.1:" + port, admin: "127.0.0.1:" + adminPort, dir: dir}
	config := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf(`{
	admin %s
	auto_https off
	persist_config off
}
:%s {
	bind 127.0.0.1
	route /plain {
		reverse_proxy %s
	}
	route /hook {
		verify_webhook craneops {env.BENCH_SECRET}
		reverse_proxy %s
	}
	route /refuse {
		error 401
	}
	respond 404
}
`, g.admin, port, upstream, upstream)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return nil, err
	}
	g.cmd = exec.Command(binary, "run", "--config", config)
	g.cmd.Env = append(os.Environ(), "BENCH_SECRET="+secret, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	logFile, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	g.cmd.Stdout, g.cmd.Stderr = logFile, logFile
	if err := g.cmd.Start(); err != nil {
		return nil, err
	}
	for range 200 {
		res, err := http.Get("http://" + g.addr + "/ready")
		if err == nil {
			res.Body.Close()
			return g, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	g.stop()
	return nil, errors.New("the gateway did not start")
}

func (g *gateway) stop() {
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	_ = g.cmd.Wait()
	_ = os.RemoveAll(g.dir)
}

// cpu is the processor time that the process has used.
func (g *gateway) cpu() (time.Duration, error) {
	// Nanoseconds, unlike the ticks in stat.
	var total time.Duration
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", g.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		ran, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(ran, 10, 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(n)
	}
	return total, nil
}

// profile takes ten seconds of CPU profile from Caddy's admin endpoint.
func (g *gateway) profile(file string) error {
	res, err := http.Get("http://" + g.admin + "/debug/pprof/profile?seconds=10")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	_, err = io.Copy(out, res.Body)
	return err
}

// resetPeak makes peak begin anew.
func (g *gateway) resetPeak() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", g.cmd.Process.Pid), []byte("5"), 0)
}

// peak is the largest resident memory since resetPeak, in KiB.
func (g *gateway) peak() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n
		}
	}
	return 0
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
