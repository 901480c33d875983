package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// ownBuild builds `go build ./cmd/hooklatch` when a test first needs it. It
// uses xcaddy's flags and no cgo, so that the two builds share the compiler's
// cache.
var ownBuild = sync.OnceValues(func() (string, error) {
	root, err := harness.Repository()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(harness.WorkDir, "own")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "hooklatch")
	cmd := exec.Command("go", "build", "-o", binary, "-ldflags", "-w -s", "-trimpath", "-tags", "nobadger,nomysql,nopgx", "./cmd/hooklatch")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building ./cmd/hooklatch: %w\n%s", err, said)
	}
	return binary, nil
})

// TestBothBuilds: `go build ./cmd/hooklatch` and xcaddy build binaries with the
// same modules.
func TestBothBuilds(t *testing.T) {
	t.Parallel()
	ours, theirs := modules(t, harness.Must(t, ownBuild)), modules(t, harness.Binary(t))
	if !slices.Equal(ours, theirs) {
		t.Errorf("cmd/hooklatch has %d modules, the one by xcaddy %d", len(ours), len(theirs))
	}
	if !slices.Contains(ours, "http.handlers.verify_webhook") {
		t.Error("http.handlers.verify_webhook is missing")
	}
}

// modules lists the registered modules. It skips the lines with counts.
func modules(t *testing.T, binary string) []string {
	t.Helper()
	said, err := exec.Command(binary, "list-modules").Output()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(said)) {
		if name := strings.TrimSpace(line); name != "" && !strings.Contains(name, " ") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
