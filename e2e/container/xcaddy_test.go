package container

import (
	"archive/zip"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	modulePath    = "github.com/hooklatch/hooklatch"
	moduleVersion = "v0.0.1" // of the work tree, as if it were published
)

// TestXcaddy builds Dockerfile.xcaddy. In place of Caddy's own builder stands
// the toolchain with xcaddy and this module, as a module proxy would give it; in
// place of Caddy's image an empty one.
func TestXcaddy(t *testing.T) {
	image(t)
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeModule(t, root, filepath.Join(dir, "proxy", modulePath, "@v"))
	xcaddy := exec.Command("go", "build", "-o", filepath.Join(dir, "xcaddy"), "github.com/caddyserver/xcaddy/cmd/xcaddy")
	xcaddy.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := xcaddy.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	write(t, []byte(`FROM `+buildImage+`
COPY xcaddy /usr/bin/xcaddy
COPY proxy /proxy
ENV GOPROXY=file:///proxy,${GOPROXY} CADDY_VERSION=v2.11.9
WORKDIR /usr/bin
`), dir, "Dockerfile")

	const builder, built = "hooklatch-e2e-builder", "hooklatch-e2e-xcaddy"
	if err := buildFrom("--tag", builder, dir); err != nil {
		t.Fatal(err)
	}
	err = buildFrom("--file", filepath.Join(root, "Dockerfile.xcaddy"), "--tag", built,
		"--build-arg", "BUILDER_IMAGE="+builder, "--build-arg", "CADDY_IMAGE=scratch",
		"--build-arg", "HOOKLATCH_VERSION="+moduleVersion, root)
	if err != nil {
		t.Fatal(err)
	}
	said := docker(t, "run", "--rm", "--entrypoint", "/usr/bin/caddy", built, "list-modules", "--versions")
	if !strings.Contains(said, "http.handlers.verify_webhook "+moduleVersion) {
		t.Errorf("the module is missing:\n%s", said)
	}
}

// inAnotherModule finds a go.mod between the repository's own and a file.
func inAnotherModule(root, name string) bool {
	for dir := filepath.Dir(name); dir != "."; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err == nil {
			return true
		}
	}
	return false
}

// writeModule makes the three files that a module proxy has of a version.
func writeModule(t *testing.T, root, folder string) {
	t.Helper()
	var packed bytes.Buffer
	archive := zip.NewWriter(&packed)
	listed, err := execute(t.Context(), nil, "git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard")
	if err != nil {
		t.Skip("the work tree is not git's, which knows what belongs to the module")
	}
	for name := range strings.Lines(listed) {
		name = strings.TrimSuffix(name, "\n")
		text, err := os.ReadFile(filepath.Join(root, name))
		if inAnotherModule(root, name) || os.IsNotExist(err) {
			continue // or it is no longer there
		}
		if err != nil {
			t.Fatal(err)
		}
		file, err := archive.Create(modulePath + "@" + moduleVersion + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	gomod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, packed.Bytes(), folder, moduleVersion+".zip")
	write(t, gomod, folder, moduleVersion+".mod")
	write(t, []byte(`{"Version":"`+moduleVersion+`"}`), folder, moduleVersion+".info")
}
