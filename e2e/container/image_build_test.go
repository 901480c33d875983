package container

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// The images stay with the engine, whose cache makes the next run short.
const (
	buildImage  = "hooklatch-e2e-build" // the stage with the sources and what was compiled
	testedImage = "hooklatch-e2e"
)

// image builds the Dockerfile as it is, once a run.
func image(t *testing.T) string {
	t.Helper()
	needEngine(t)
	if err := builtImage(); err != nil {
		t.Fatal(err)
	}
	return testedImage
}

var builtImage = sync.OnceValue(func() error {
	root, err := repository()
	if err != nil {
		return err
	}
	toolchainImage, err := toolchain(root)
	if err != nil {
		return err
	}
	began := time.Now()
	arguments := []string{"--build-arg", "GO_IMAGE=" + toolchainImage, root}
	if err := buildFrom(append([]string{"--target", "build", "--tag", buildImage}, arguments...)...); err != nil {
		return err
	}
	if err := buildFrom(append([]string{"--tag", testedImage}, arguments...)...); err != nil {
		return err
	}
	fmt.Printf("the image was built in %v\n", time.Since(began).Round(time.Second))
	return nil
})

// toolchain makes the image that a build starts from. Its name changes with what
// is in it; one that is there already is kept, because from another one
// everything would be compiled again.
func toolchain(root string) (string, error) {
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("hooklatch-e2e-%s:%x", runtime.Version(), sha256.Sum256(sums))
	if exec.Command("docker", "image", "inspect", name).Run() == nil {
		return name, nil
	}
	if said, err := exec.Command("./toolchain-image.sh", name).CombinedOutput(); err != nil {
		return "", fmt.Errorf("making an image of this machine's toolchain: %w\n%s", err, said)
	}
	return name, nil
}

// buildFrom runs docker build without a network.
func buildFrom(args ...string) error {
	cmd := exec.Command("docker", append([]string{"build", "--network", "none"}, args...)...)
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, said)
	}
	return nil
}

// write makes a file and its folders.
func write(t *testing.T, content []byte, path ...string) {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
