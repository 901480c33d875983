// Package container builds the image, starts examples/sidecar with it as a user
// would, and attacks it from outside. It needs a container engine, but no
// registry: what a build starts from is made of this machine's own files.
package container

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience bounds every command but a build, soon every wait for what it leads
// to. They are long, because only a failing test waits to the end.
const (
	patience = 2 * time.Minute
	soon     = 30 * time.Second
)

// needEngine skips a test where no engine answers. CI has one, so that there
// nothing is left out unnoticed.
func needEngine(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{{"docker", "version"}, append(composeCommand(), "version")} {
		said, err := execute(t.Context(), nil, args...)
		if err == nil {
			continue
		}
		why := fmt.Sprintf("%q fails: install docker.io and docker-compose and start dockerd (as .ci/run does)", strings.Join(args, " "))
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s\n%s", why, said)
		}
		t.Skip(why)
	}
}

// composeCommand is the engine's own, or else the program of that name.
func composeCommand() []string {
	if exec.Command("docker", "compose", "version").Run() == nil {
		return []string{"docker", "compose"}
	}
	return []string{"docker-compose"}
}

// docker returns what the command says, and ends the test if it fails.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	said, err := execute(context.Background(), nil, append([]string{"docker"}, args...)...)
	if err != nil {
		t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return strings.TrimSpace(said)
}

// execute gives the standard output, and with an error the other one too. It
// does not end with the test's own context where a clean-up uses it.
func execute(ctx context.Context, input []byte, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.WaitDelay = time.Second
	cmd.Stdin = bytes.NewReader(input)
	var out, errOut strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String() + errOut.String(), err
	}
	return out.String(), nil
}

// repository is the top of the work tree.
func repository() (string, error) {
	return filepath.Abs("../..")
}
