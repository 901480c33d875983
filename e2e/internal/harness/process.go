package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// hints says how to install programs that a machine may lack.
var hints = map[string]string{
	"bash":    "install bash (Debian: apt-get install bash)",
	"curl":    "install curl (Debian: apt-get install curl)",
	"node":    "install Node.js 20 or later (Debian: apt-get install nodejs)",
	"nginx":   "install nginx 1.18 or later (Debian: apt-get install nginx-light)",
	"npm":     "install npm 9 or later (Debian: apt-get install npm)",
	"php":     "install PHP 8.1 or later (Debian: apt-get install php-cli)",
	"python3": "install Python 3.9 or later (Debian: apt-get install python3)",
	"ss":      "install iproute2 (Debian: apt-get install iproute2)",
	"ruby":    "install Ruby 3.0 or later (Debian: apt-get install ruby)",

	"chromium":     "install Chromium 120 or later (Debian: apt-get install chromium)",
	"prometheus":   "install Prometheus 2.40 or later (Debian: apt-get install prometheus)",
	"promtool":     "install Prometheus 2.40 or later (Debian: apt-get install prometheus)",
	"redis-server": "install Redis 7 or later (Debian: apt-get install redis-server)",
}

// Needs skips a test if a program is missing. In CI it fails the test instead,
// so that nothing is skipped unnoticed.
func Needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing: %s", program, hints[program])
	}
	t.Skipf("%s is missing: %s", program, hints[program])
}

// process is a program that answers each line of JSON with a line.
type process struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// running holds the processes of this run by their command line. They are
// reused, because starting an interpreter for every question would take most of
// the time.
var running struct {
	sync.Mutex
	processes map[string]*process
}

// Helper returns the process of a program and its script, and starts it if
// necessary.
func Helper(t *testing.T, program string, script ...string) *process {
	t.Helper()
	Needs(t, program)
	running.Lock()
	defer running.Unlock()
	line := strings.Join(append([]string{program}, script...), " ")
	if p := running.processes[line]; p != nil {
		return p
	}
	p, err := startProcess(program, script...)
	if err != nil {
		t.Fatal(err)
	}
	if running.processes == nil {
		running.processes = map[string]*process{}
	}
	running.processes[line] = p
	return p
}

func startProcess(program string, script ...string) (*process, error) {
	cmd := exec.Command(program, script...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &process{cmd: cmd, in: in, out: bufio.NewReader(out)}, cmd.Start()
}

func (p *process) Ask(question, answer any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := json.NewEncoder(p.in).Encode(question); err != nil {
		return fmt.Errorf("asking %s: %w", p.cmd, err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("hearing from %s: %w", p.cmd, err)
	}
	return json.Unmarshal(line, answer)
}

// stopProcesses ends the processes by closing their input.
func stopProcesses() {
	running.Lock()
	defer running.Unlock()
	for _, p := range running.processes {
		_ = p.in.Close()
		_ = p.cmd.Wait()
	}
}

// AskMany writes all questions as lines of JSON, and reads the answers at the
// same time.
func (p *process) AskMany(count int, question func(i int) any, answer func(i int, line []byte) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked := make(chan error, 1)
	go func() {
		out := json.NewEncoder(p.in)
		for i := range count {
			if err := out.Encode(question(i)); err != nil {
				asked <- err
				return
			}
		}
		asked <- nil
	}()
	for i := range count {
		line, err := p.out.ReadBytes('\n')
		if err != nil {
			return err
		}
		if err := answer(i, line); err != nil {
			return err
		}
	}
	return <-asked
}
