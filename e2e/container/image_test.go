package container

import (
	"archive/tar"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const certificates = "etc/ssl/certs/ca-certificates.crt"

// TestImage: what is in the image, and what it says of itself.
func TestImage(t *testing.T) {
	tag := image(t)
	files, pem := contents(t, tag)
	if want := []string{certificates, "usr/bin/hooklatch"}; !slices.Equal(files, want) {
		t.Errorf("the image has the files %v, not %v", files, want)
	}
	if pool := x509.NewCertPool(); !pool.AppendCertsFromPEM(pem) {
		t.Error("the image has no certificate authorities")
	}

	if user := docker(t, "image", "inspect", "--format", "{{.Config.User}}", tag); user != "65532:65532" {
		t.Errorf("the user is %q", user)
	}
	bytes, err := strconv.Atoi(docker(t, "image", "inspect", "--format", "{{.Size}}", tag))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("the image has %.1f MB\n", float64(bytes)/1e6)
	if bytes > 80e6 {
		t.Error("the image is above 80 MB")
	}
}

// contents are the image's files, without those that the engine puts into every
// container, and its certificates.
func contents(t *testing.T, tag string) ([]string, []byte) {
	t.Helper()
	id := docker(t, "create", tag)
	defer docker(t, "rm", "--volumes", id)
	cmd := exec.Command("docker", "export", id)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	engines := []string{".dockerenv", "dev/console", "etc/hostname", "etc/hosts", "etc/resolv.conf"}
	var files []string
	var pem []byte
	for archive := tar.NewReader(out); ; {
		file, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if file.Name == certificates {
			if pem, err = io.ReadAll(archive); err != nil {
				t.Fatal(err)
			}
		}
		if file.Typeflag == tar.TypeReg && !slices.Contains(engines, file.Name) {
			files = append(files, file.Name)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files, pem
}

// TestVersion: the binary names the commit that it was built from.
func TestVersion(t *testing.T) {
	tag := image(t)
	root, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	revision, err := execute(t.Context(), nil, "git", "-C", root, "rev-parse", "HEAD")
	if err != nil {
		t.Skip("the work tree is not git's, so that there is no commit to name")
	}
	revision = strings.TrimSpace(revision)
	version := docker(t, "run", "--rm", tag, "version")
	fmt.Println(version)
	if tagged := strings.Contains(version, "hooklatch v") && !strings.Contains(version, "hooklatch v0.0.0-"); !tagged && !strings.Contains(version, "-"+revision[:12]) {
		t.Errorf("the version does not name the commit %s", revision)
	}
	if !strings.Contains(version, "caddy v2.11.9") {
		t.Error("the version does not name Caddy's")
	}
	if info := docker(t, "run", "--rm", tag, "build-info"); !strings.Contains(info, "vcs.revision="+revision) {
		t.Errorf("build-info does not name the commit %s:\n%s", revision, info)
	}
}
