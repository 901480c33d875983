package container

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystemd lets systemd read the unit, with a program that is there in place
// of the binary, and judge how much it may do.
func TestSystemd(t *testing.T) {
	const hint = "systemd-analyze is missing: install systemd (Debian: apt-get install systemd)"
	if _, err := execute(t.Context(), nil, "systemd-analyze", "--version"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(hint)
		}
		t.Skip(hint)
	}
	text, err := os.ReadFile(filepath.Join(example, "hooklatch.service"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unit := filepath.Join(dir, "hooklatch.service")
	write(t, []byte(strings.ReplaceAll(string(text), "/usr/bin/hooklatch", "/bin/true")), unit)

	// It warns of what it does not know without failing.
	said, err := execute(t.Context(), nil, "sh", "-c", `systemd-analyze verify "$0" 2>&1`, unit)
	if err != nil || said != "" {
		t.Errorf("%v\n%s", err, said)
	}
	// In tenths, of ten: 2 is what systemd calls OK.
	if said, err := execute(t.Context(), nil, "systemd-analyze", "security", "--offline=true", "--threshold=20", unit); err != nil {
		t.Errorf("the service may do too much: %v\n%s", err, said)
	}
}
