package tenants

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// joined compiles secrets to one text, and refuses one of them.
func joined(secrets []string) (string, error) {
	for i, secret := range secrets {
		if secret == "refused" {
			return "", fmt.Errorf("secret %d is refused", i+1)
		}
	}
	return strings.Join(secrets, "|"), nil
}

// write puts a file where a reader never sees a part of it.
func write(t *testing.T, dir, name, content string) {
	t.Helper()
	hidden := filepath.Join(dir, "."+name)
	if err := os.WriteFile(hidden, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, d *Dir[string], name, want string) {
	t.Helper()
	got, err := d.Get(name)
	if err != nil || got != want {
		t.Errorf("%s: %q, %v; want %q", name, got, err, want)
	}
}

func expectError(t *testing.T, d *Dir[string], name, want string) {
	t.Helper()
	got, err := d.Get(name)
	if err == nil || got != "" || !strings.Contains(err.Error(), want) || errors.Is(err, ErrUnknown) {
		t.Errorf("%s: %q, %v; want an error with %q", name, got, err, want)
	}
}

func TestSecretsOfAFile(t *testing.T) {
	dir := t.TempDir()
	d := New(dir, joined)
	for name, c := range map[string]struct{ content, want, wrong string }{
		"one":           {"s3cr3t", "s3cr3t", ""},
		"two":           {"new\nold\n", "new|old", ""},
		"windows":       {"\ufeffnew\r\n\r\n  old \t\r\n", "new|old", ""},
		"comments":      {"# since May\nnew\n\n #old\n", "new", ""},
		"hash-inside":   {"a#b", "a#b", ""},
		"spaces-inside": {"a b", "a b", ""},
		"sixteen":       {strings.Repeat("s\n", maxSecrets), strings.Repeat("s|", maxSecrets-1) + "s", ""},
		"seventeen":     {strings.Repeat("s\n", maxSecrets+1), "", "more than 16"},
		"empty":         {"", "", "no secret"},
		"only-comments": {"# nothing yet\n", "", "no secret"},
		"refused":       {"good\nrefused\n", "", "secret 2 is refused"},
		"largest":       {strings.Repeat("x", maxFile), strings.Repeat("x", maxFile), ""},
		"too-large":     {strings.Repeat("x", maxFile+1), "", "larger than"},
		"binary":        {"\x00\x01\xff", "\x00\x01\xff", ""},
	} {
		write(t, dir, name, c.content)
		if c.wrong == "" {
			expect(t, d, name, c.want)
		} else {
			expectError(t, d, name, c.wrong)
		}
	}
	if _, err := d.Get("nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("without a file: %v", err)
	}
}

// TestErrorsHoldNoSecret: an error names the file, and nothing that is in it.
func TestErrorsHoldNoSecret(t *testing.T) {
	dir := t.TempDir()
	d := New(dir, joined)
	write(t, dir, "acme", "refused\ncanary-of-acme")
	_, err := d.Get("acme")
	if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), filepath.Join(dir, "acme")) {
		t.Error(err)
	}
}

func TestChanges(t *testing.T) {
	dir := t.TempDir()
	d := New(dir, joined)
	write(t, dir, "acme", "first")
	expect(t, d, "acme", "first")
	write(t, dir, "acme", "second")
	expect(t, d, "acme", "second")
	write(t, dir, "acme", "")
	expectError(t, d, "acme", "no secret")
	write(t, dir, "acme", "third")
	expect(t, d, "acme", "third")
	if err := os.Remove(filepath.Join(dir, "acme")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Get("acme"); !errors.Is(err, ErrUnknown) {
		t.Errorf("removed: %v", err)
	}
	write(t, dir, "acme", "again")
	expect(t, d, "acme", "again")
	write(t, dir, "globex", "new")
	expect(t, d, "globex", "new")
}

// TestChangeThatHides: the same file, of the same size and with the same time of
// modification, at once after the last one.
func TestChangeThatHides(t *testing.T) {
	dir := t.TempDir()
	d := New(dir, joined)
	path := filepath.Join(dir, "acme")
	at := time.Now().Add(-time.Hour)
	for i := range 100 {
		secret := fmt.Sprintf("secret-%03d", i)
		if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		expect(t, d, "acme", secret)
	}
}

// TestFileThatStays is compiled once, and not read again.
func TestFileThatStays(t *testing.T) {
	dir := t.TempDir()
	compiled := 0
	d := New(dir, func(secrets []string) (string, error) {
		compiled++
		return joined(secrets)
	})
	write(t, dir, "acme", "s3cr3t")
	expect(t, d, "acme", "s3cr3t") // too young to be believed
	expect(t, d, "acme", "s3cr3t")
	d.now = func() time.Time { return time.Now().Add(time.Minute) }
	expect(t, d, "acme", "s3cr3t")
	known, _ := d.compiled.Peek("acme")
	if compiled != 1 || !known.settled {
		t.Errorf("compiled %d times, settled: %v", compiled, known.settled)
	}
	allocs := testing.AllocsPerRun(100, func() { expect(t, d, "acme", "s3cr3t") })
	t.Logf("%.0f allocations for a tenant whose file has not changed", allocs)
}

func TestWhatIsNoFile(t *testing.T) {
	outside := t.TempDir()
	write(t, outside, "secret", "of somebody else")
	dir := t.TempDir()
	d := New(dir, joined)
	write(t, dir, "acme", "s3cr3t")
	for _, link := range []struct{ to, name string }{
		{filepath.Join(outside, "secret"), "absolute"},
		{"../" + filepath.Base(outside) + "/secret", "relative"},
		{"acme", "within"},
		{"nothing", "dangling"},
		{"circle", "circle"},
	} {
		if err := os.Symlink(link.to, filepath.Join(dir, link.name)); err != nil {
			t.Skip(err) // as on Windows, without the right
		}
	}
	expectError(t, d, "absolute", "escapes")
	expectError(t, d, "relative", "")
	expect(t, d, "within", "s3cr3t")
	if _, err := d.Get("dangling"); !errors.Is(err, ErrUnknown) {
		t.Errorf("dangling: %v", err)
	}
	expectError(t, d, "circle", "")
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	expectError(t, d, "folder", "no regular file")
}

func TestDirectoryThatIsGone(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "tenants")
	d := New(dir, joined)
	expectError(t, d, "acme", dir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Get("acme"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an empty directory: %v", err)
	}
	write(t, dir, "acme", "s3cr3t")
	expect(t, d, "acme", "s3cr3t")

	// Another directory in its place is looked at from then on.
	other := filepath.Join(parent, "other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, other, "acme", "new")
	for _, move := range [][2]string{{dir, filepath.Join(parent, "old")}, {other, dir}} {
		if err := os.Rename(move[0], move[1]); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, d, "acme", "new")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	expectError(t, d, "acme", dir)
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expectError(t, d, "acme", dir)
}

// TestReplacedWhileRead: readers see one whole version, never another tenant's and
// never an error, while files are renamed into place.
func TestReplacedWhileRead(t *testing.T) {
	dir := t.TempDir()
	d := New(dir, joined)
	names := []string{"acme", "globex", "umbrella"}
	for _, name := range names {
		write(t, dir, name, name+" 0")
	}
	const versions = 200
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				for _, name := range names {
					got, err := d.Get(name)
					if err != nil || !strings.HasPrefix(got, name+" ") {
						t.Errorf("%s: %q, %v", name, got, err)
						return
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for version := range versions {
		for _, name := range names {
			write(t, dir, name, fmt.Sprintf("%s %d", name, version))
		}
	}
	close(stop)
	readers.Wait()
	for _, name := range names {
		expect(t, d, name, fmt.Sprintf("%s %d", name, versions-1))
	}
}

// TestRandom: two calls have nothing in common.
func TestRandom(t *testing.T) {
	first, err := Random()
	if err != nil {
		t.Fatal(err)
	}
	second, err := Random()
	if err != nil {
		t.Fatal(err)
	}
	for i := range first {
		if first[i] == second[i] || len(first[i]) < 32 {
			t.Errorf("%d: %q", i, first[i])
		}
	}
}

// BenchmarkGet is what a delivery costs that finds its tenant's file unchanged.
func BenchmarkGet(b *testing.B) {
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "acme"), []byte("s3cr3t"), 0o600); err != nil {
		b.Fatal(err)
	}
	d := New(dir, joined)
	d.now = func() time.Time { return time.Now().Add(time.Minute) }
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Get("acme"); err != nil {
			b.Fatal(err)
		}
	}
}
