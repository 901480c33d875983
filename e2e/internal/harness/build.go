// Package harness starts the real binary and speaks to it from outside: one
// gateway, one application behind it, deliveries as providers sign them, and
// clients that send them. It knows nothing of the product's Go code.
package harness

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// caddyVersion is what xcaddy builds with. CADDY_VERSION, which is its own
// variable, names another one.
var caddyVersion = cmp.Or(os.Getenv("CADDY_VERSION"), "v2.11.9")

// WorkDir is where the binaries are built; TestMain creates and removes it.
var WorkDir string

// The two binaries are built when the first test asks for them, once a run.
// HOOKLATCH_BINARY and HOOKLATCH_CLOCK_BINARY name ready ones instead. With
// xcaddy's own XCADDY_RACE_DETECTOR=1 the gateways watch for data races, which
// fail the test that finds one in a log.
var (
	builtGateway = sync.OnceValues(func() (string, error) {
		return Build("hooklatch", "HOOKLATCH_BINARY", nil)
	})
	builtClockGateway = sync.OnceValues(func() (string, error) {
		overlay, err := clockOverlay()
		if err != nil {
			return "", err
		}
		flags := strings.TrimSpace(os.Getenv("GOFLAGS") + " '-overlay=" + overlay + "'")
		return Build("hooklatch-clock", "HOOKLATCH_CLOCK_BINARY", []string{"GOFLAGS=" + flags})
	})
)

// Binary is the gateway as users build it.
func Binary(t *testing.T) string {
	t.Helper()
	return Must(t, builtGateway)
}

// ClockBinary is the same with one file exchanged: its clock stands at
// HOOKLATCH_E2E_AT_MS. The exchange happens in the build, so that what is
// shipped has no such switch.
func ClockBinary(t *testing.T) string {
	t.Helper()
	return Must(t, builtClockGateway)
}

// Must returns the path of what was built, or ends the test.
func Must(t *testing.T, built func() (string, error)) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Build runs xcaddy with its own default flags. The version after the module's
// name keeps it from asking for one that is published. More are further
// arguments.
func Build(name, ready string, env []string, more ...string) (string, error) {
	if path := os.Getenv(ready); path != "" {
		return path, nil
	}
	root, err := Repository()
	if err != nil {
		return "", err
	}
	output := filepath.Join(WorkDir, name)
	args := append([]string{
		"tool", "xcaddy", "build", caddyVersion, "--output", output,
		"--with", "github.com/hooklatch/hooklatch@v0.0.0=" + root,
	}, more...)
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), env...)
	if said, err := cmd.CombinedOutput(); err != nil {
		// Once here, and not again with every test that needs the binary.
		fmt.Fprintf(os.Stderr, "%s", said)
		return "", fmt.Errorf("building %s with xcaddy: %w", name, err)
	}
	return output, nil
}

func clockOverlay() (string, error) {
	root, err := Repository()
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(root, "module", "clock.go"): filepath.Join(root, "e2e", "testdata", "clock.go.txt"),
	}})
	if err != nil {
		return "", err
	}
	path := filepath.Join(WorkDir, "overlay.json")
	return path, os.WriteFile(path, overlay, 0o600)
}

// Repository resolves links, because the go command does so with the paths
// that an overlay is compared with.
func Repository() (string, error) {
	root, err := filepath.Abs("..")
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(root)
}

// Main runs tests in a place for what they build, and leaves nothing.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "hooklatch-e2e-")
	if err != nil {
		log.Print(err)
		return 1
	}
	defer os.RemoveAll(dir)
	WorkDir = dir
	defer stopProcesses()
	return m.Run()
}
