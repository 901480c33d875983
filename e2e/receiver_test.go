package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// startReceiver starts the application for Node, which accepts requests with
// the official Standard Webhooks library, and returns its address.
func startReceiver(t *testing.T, secret string) string {
	t.Helper()
	harness.Needs(t, "node")
	harness.Needs(t, "npm")
	if err := installedOfficial(); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", filepath.Join(nodeOfficial, "receive.mjs"))
	cmd.Env = append(os.Environ(), "SIGNING_SECRET="+secret)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ Port int }
	if err := json.Unmarshal(line, &said); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", said.Port)
}
