package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"
)

var commitTime = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func entries() []entry {
	return []entry{{"hooklatch", 0o755, []byte("binary")}, {"LICENSE", 0o644, []byte("text\n")}}
}

func TestArchives(t *testing.T) {
	t.Parallel()
	for platform, read := range map[string]func(*testing.T, []byte) []entry{
		"linux_arm64": readTar, "windows_amd64": readZip,
	} {
		first, extension, err := archiveFor(platform, "folder", entries(), commitTime)
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, first)
		want := entries()
		for i := range want {
			want[i].name = "folder/" + want[i].name
		}
		if !slices.EqualFunc(got, want, func(a, b entry) bool {
			return a.name == b.name && a.mode == b.mode && bytes.Equal(a.content, b.content)
		}) {
			t.Errorf("%s: the archive has %v", extension, got)
		}
		second, _, err := archiveFor(platform, "folder", entries(), commitTime.In(time.FixedZone("elsewhere", 3600)))
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s: the same again gives other bytes (%v)", extension, err)
		}
	}
}

func readTar(t *testing.T, archive []byte) (list []entry) {
	t.Helper()
	compressed, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(compressed); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil || !header.ModTime.Equal(commitTime) {
			t.Fatalf("%v, from %v", err, header.ModTime)
		}
		list = append(list, entry{header.Name, header.FileInfo().Mode(), content})
	}
}

func readZip(t *testing.T, archive []byte) (list []entry) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range r.File {
		opened, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(opened)
		if err != nil || !file.Modified.Equal(commitTime) {
			t.Fatalf("%v, from %v", err, file.Modified)
		}
		list = append(list, entry{file.Name, file.Mode(), content})
	}
	return list
}

// TestBillOfMaterials: what the binary says of itself, with the replacement
// where a module was replaced.
func TestBillOfMaterials(t *testing.T) {
	t.Parallel()
	text, err := billOfMaterials(&debug.BuildInfo{
		GoVersion: "go1.26.8",
		Main:      debug.Module{Path: "example.com/main", Version: "v1.2.3"},
		Deps: []*debug.Module{
			{Path: "example.com/a", Version: "v1.0.0+incompatible", Sum: "h1:a"},
			{Path: "example.com/b", Version: "v2.0.0", Replace: &debug.Module{Path: "example.com/c", Version: "v3.0.0"}},
		},
		Settings: []debug.BuildSetting{{Key: "GOOS", Value: "linux"}},
	}, []byte("binary"), commitTime)
	if err != nil {
		t.Fatal(err)
	}
	var got bom
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Metadata.Component.PURL != "pkg:golang/example.com/main@v1.2.3" || got.Metadata.Timestamp != "2026-01-31T12:00:00Z" ||
		got.Metadata.Component.Hashes[0].Content != digest([]byte("binary")) {
		t.Errorf("%+v", got.Metadata)
	}
	want := []string{"pkg:golang/std@1.26.8", "pkg:golang/example.com/a@v1.0.0%2Bincompatible", "pkg:golang/example.com/c@v3.0.0"}
	if !slices.Equal(got.Dependencies[0].DependsOn, want) {
		t.Errorf("%v", got.Dependencies[0].DependsOn)
	}
	for i, c := range got.Components {
		if c.Ref != want[i] {
			t.Errorf("component %d is %s", i, c.Ref)
		}
	}
}

// TestRelease packs a real Go binary, and has the sums checked by the program
// that users have.
func TestRelease(t *testing.T) {
	t.Parallel()
	dist := t.TempDir()
	repository := t.TempDir()
	build := exec.Command("go", "build", "-buildvcs=true", "-o", filepath.Join(dist, "linux_amd64", "hooklatch"), ".")
	build.Dir = repository
	for name, content := range map[string]string{
		"go.mod": "module example.com/main\n\ngo 1.26\n", "main.go": "package main\n\nfunc main() {}\n",
		"LICENSE": "licence\n", "README.md": "readme\n", "CHANGELOG.md": "changes\n",
	} {
		if err := os.WriteFile(filepath.Join(repository, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"add", "."},
		{"-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "--quiet", "--message", "Begin"},
		{"tag", "v1.2.3"},
	} {
		git := exec.Command("git", args...)
		git.Dir = repository
		if said, err := git.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, said)
		}
	}
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if err := release(dist, repository); err != nil {
		t.Fatal(err)
	}
	check := exec.Command("sha256sum", "--check", "SHA256SUMS")
	check.Dir = dist
	said, err := check.CombinedOutput()
	if want := "hooklatch_v1.2.3_linux_amd64.cdx.json: OK\nhooklatch_v1.2.3_linux_amd64.tar.gz: OK\n"; err != nil || string(said) != want {
		t.Errorf("%v\n%s", err, said)
	}
	archive, err := os.ReadFile(filepath.Join(dist, "hooklatch_v1.2.3_linux_amd64.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	reader, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(reader); ; {
		header, err := r.Next()
		if err != nil {
			break
		}
		names = append(names, strings.TrimPrefix(header.Name, "hooklatch_v1.2.3_linux_amd64/"))
	}
	if want := []string{"hooklatch", "LICENSE", "README.md", "CHANGELOG.md"}; !slices.Equal(names, want) {
		t.Errorf("the archive has %v", names)
	}
	if err := release(t.TempDir(), repository); err == nil {
		t.Error("a folder without a binary is no error")
	}
}
