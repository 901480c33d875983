// Package harness starts the real binary and tests it from outside: a gateway,
// its application, deliveries signed as by providers, and clients that send
// them. It does not use the product's Go code.
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

// caddyVersion is the Caddy version that xcaddy builds. xcaddy's own variable
// CADDY_VERSION sets another one.
var caddyVersion = cmp.Or(os.Getenv("CADDY_VERSION"), "v2.11.9")

// WorkDir is the directory in which the binaries are built. TestMain creates
// and removes it.
var WorkDir string

// Each binary is built once per run, when a test first needs it.
// HOOKLATCH_BINARY and HOOKLATCH_CLOCK_BINARY name existing ones instead. With
// xcaddy's own XCADDY_RACE_DETECTOR=1 the gateways detect data races, and a
// race in a log fails the test.
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

// Binary returns the path of the gateway as users build it.
func Binary(t *testing.T) string {
	t.Helper()
	return Must(t, builtGateway)
}

// ClockBinary returns the path of a gateway whose clock is fixed at
// HOOKLATCH_E2E_AT_MS. The build replaces one file for it, so that the released
// binary has no such switch.
func ClockBinary(t *testing.T) string {
	t.Helper()
	return Must(t, builtClockGateway)
}

// Must returns the path of a built binary, or ends the test.
func Must(t *testing.T, built func() (string, error)) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// Build runs xcaddy with its own default flags. The version after the module's
// name prevents xcaddy from looking for a published one. The arguments in more
// are added to the command.
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
		// Print the output here once, and not with every test that needs the
		// binary.
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

// Repository returns the root of the repository with links resolved, because
// the go command resolves them in the paths that it compares an overlay with.
func Repository() (string, error) {
	root, err := filepath.Abs("..")
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(root)
}

// Main runs the tests with a temporary WorkDir, which it removes afterwards.
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
