package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// npmMutex prevents two tests from installing into one folder.
var npmMutex sync.Mutex

// npmInstalled installs the packages of a folder's package.json in that folder,
// and again only if the versions change.
func npmInstalled(t *testing.T, folder string) {
	t.Helper()
	harness.Needs(t, "npm")
	if err := npmInstall(folder); err != nil {
		t.Fatal(err)
	}
}

func npmInstall(folder string) error {
	npmMutex.Lock()
	defer npmMutex.Unlock()
	lock, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		return err
	}
	mark := filepath.Join(folder, "node_modules", ".installed")
	if installed, err := os.ReadFile(mark); err == nil && bytes.Equal(installed, lock) {
		return nil
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts")
	cmd.Dir = folder
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci in %s: %w\n%s", folder, err, said)
	}
	return os.WriteFile(mark, lock, 0o600)
}
