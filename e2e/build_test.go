package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestBothBuilds: what `go build ./cmd/hooklatch` gives has the same modules as
// what xcaddy builds.
func TestBothBuilds(t *testing.T) {
	t.Parallel()
	root, err := harness.Repository()
	if err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "hooklatch")
	// With xcaddy's flags and without cgo, as it builds, so that the two share
	// what the compiler has cached.
	cmd := exec.Command("go", "build", "-o", plain, "-ldflags", "-w -s", "-trimpath", "-tags", "nobadger,nomysql,nopgx", "./cmd/hooklatch")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	ours, theirs := modules(t, plain), modules(t, harness.Binary(t))
	if !slices.Equal(ours, theirs) {
		t.Errorf("cmd/hooklatch has %d modules, the one by xcaddy %d", len(ours), len(theirs))
	}
	if !slices.Contains(ours, "http.handlers.verify_webhook") {
		t.Error("http.handlers.verify_webhook is missing")
	}
}

// modules lists what is registered; the lines with counts are not modules.
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
