package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// smallDisk mounts a small separate disk, which only root may do.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	folder := t.TempDir()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting a small disk: %v (module/replay/file tests a full disk without)", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// TestFileFullDisk: while the disk is full, new deliveries are rejected with
// 503 without reaching the application, and delivered ones are not forwarded
// again. When there is room again, the gateway continues by itself.
func TestFileFullDisk(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "512k")
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, replayFile(filepath.Join(disk, "history.db")))), harness.Secrets()...)
	body := func(n int) string { return fmt.Sprintf(`{"n":%d}`, n) }
	g.Send(t, harness.CraneOps(body(0))).Accepted(t)

	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	forwarded := 1
	for ; ; forwarded++ {
		a := g.Send(t, harness.CraneOps(body(forwarded)))
		if a.Status != http.StatusOK {
			a.Is(t, http.StatusServiceUnavailable, "rejected", "store_unavailable")
			if a.Header.Get("Retry-After") == "" {
				t.Error("a 503 without Retry-After")
			}
			break
		}
		a.Accepted(t)
		if forwarded > 5000 {
			t.Fatal("the disk does not become full")
		}
	}
	app.Saw(t, forwarded)
	for n := range forwarded {
		g.Send(t, harness.CraneOps(body(n))).Duplicate(t)
	}
	if !strings.Contains(g.Log.String(), "no space left on device") {
		t.Error("the log does not say why")
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	harness.Poll(t, "room to be noticed", func() bool { return g.Send(t, harness.CraneOps(body(forwarded))).Status == http.StatusOK })
	forwarded++
	g.Kill(t)
	g = g.Restart(t)
	for n := range forwarded {
		g.Send(t, harness.CraneOps(body(n))).Duplicate(t)
	}
	app.Saw(t, forwarded)
}

// TestFileNoRoomToStart: a full or read-only disk is an error at the start.
func TestFileNoRoomToStart(t *testing.T) {
	t.Parallel()
	disk := smallDisk(t, "64k")
	path := filepath.Join(disk, "history.db")
	full := misconfigured{
		site: harness.Hook("/craneops", "craneops", "127.0.0.1:9", replayFile(path)), env: harness.Secrets(),
		saying: []string{path, "no space left"},
	}
	if err := os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	fails := func(m misconfigured) {
		t.Helper()
		said, err := m.execute(t, "run")
		if err == nil {
			t.Error("starts")
		}
		m.check(t, "run", said)
	}
	fails(full)
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	readOnly := full
	readOnly.saying = []string{path, "read-only file system"}
	fails(readOnly)
}
