package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

const root = "../../.."

// TestFresh fails if a scheme has changed and the documentation has not.
func TestFresh(t *testing.T) {
	for path, update := range pages {
		is, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if want, err := update(string(is), schemes.All()); err != nil || string(is) != want {
			t.Errorf("%s does not say what the schemes do (%v); run make docs", path, err)
		}
	}
}

// TestWitnessVersions: the tests install the libraries that a witness names, in
// the same versions.
func TestWitnessVersions(t *testing.T) {
	var pinned []string
	for _, path := range []string{"e2e/official/node/package.json", "e2e/go.mod"} {
		text, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		pinned = append(pinned, string(text))
	}
	for _, s := range schemes.All() {
		for library := range strings.SplitSeq(join(s.Witness().Signs, s.Witness().Verifies), ", ") {
			words := strings.Fields(library)
			if library == "" {
				continue
			}
			if len(words) < 2 {
				t.Errorf("%s: %q is not a library and its version", s.Name(), library)
				continue
			}
			name, version := regexp.QuoteMeta(words[0]), regexp.QuoteMeta(words[1])
			npm := regexp.MustCompile(`"` + name + `": "` + version + `"`)
			goModule := regexp.MustCompile(`/` + name + `(/v\d+)? ` + version + `(\+incompatible)?\n`)
			if !npm.MatchString(pinned[0]) && !goModule.MatchString(pinned[1]) {
				t.Errorf("%s: e2e installs no %s %s; write the version that it has", s.Name(), words[0], words[1])
			}
		}
	}
}

// TestWriteAll: the pages depend only on the registry, and the text around the
// names in the README is kept.
func TestWriteAll(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "docs"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "README.md")
	if err := os.WriteFile(path, []byte("before\n"+beginMark+"stale\n"+endMark+"after\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeAll(dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	said := string(text)
	if !strings.HasPrefix(said, "before\n"+beginMark) || !strings.HasSuffix(said, endMark+"after\n") || strings.Contains(said, "stale") || !strings.Contains(said, "`craneops`, `cryptr`, ") {
		t.Errorf("the README is now:\n%s", said)
	}
	page, err := os.ReadFile(filepath.Join(dir, "docs", "providers.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{
		"| `stripe` | `Stripe-Signature` | hmac-sha256 | text | `{timestamp}.{body}` | hex, entries `v1` | `t` in the signature header, seconds | `id` in the body |",
		"| `mceasy` | `X-McEasyWebhook-Signature` | hmac-sha256 | base64 | `time \\|> event id \\|> body` |",
		"| `github` | information | `ack` | An organization's",
		"| `mceasy` | unique for each event | `reject` |",
		"| `github` | 10s | none; redelivery by hand or through the API, within 3 days | 25 MiB | none |",
		"| `easytools` | not documented | not documented | not documented | none |",
		"| `craneops` | documentation only | none | none | none |",
	} {
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/providers.md has no row %s", row)
		}
	}
	if err := os.WriteFile(path, []byte("no names"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeAll(dir); err == nil || !strings.Contains(err.Error(), "lacks the comments") {
		t.Errorf("a README without a place for the names: %v", err)
	}
}
