package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadPage(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "page.md")
	read := func(text string) ([]step, error) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return readPage(path)
	}
	steps, err := read("1. Do\n\n   <!-- exit: 1 -->\n   ```sh\n   false\n     indented\n   ```\n\n<!-- application: 2 -->\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != 2 || steps[0].text != "false\n  indented\n" || steps[0].marks["exit"] != "1" || steps[1].marks["application"] != "2" {
		t.Errorf("%+v", steps)
	}
	for text, want := range map[string]string{
		"text\n\n    code\n":                ":3: indented code",
		"1. item\n\n       code\n":          ":3: indented code",
		"```\ncode\n```\n":                  ":1: the block has no language",
		"```sh\ncode\n":                     ":1: the block does not end",
		"<!-- output -->\n\ntext\n":         ":3: no block follows",
		"<!-- ouptut -->\n```sh\n```\n":     `:1: the comment "ouptut" is not known`,
		"<!-- not run -->\n```sh\na\n```\n": `:1: the comment "not run" is not known, or needs a value`,
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, not %s", text, err, want)
		}
	}
}

func TestMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shown, output string
		want          bool
	}{
		{"one\ntwo\n", "one\ntwo\n", true},
		{"one\n…\nfour\n", "one\ntwo\nthree\nfour\n", true},
		{"one\n…\n", "one\n", true},
		{"id sha256-…\n", "id sha256-1f\n", true},
		{"one\n", "one\ntwo\n", false},
		{"one.two\n", "one-two\n", false},
		{"…\ntwo\n", "one\nthree\n", false},
	} {
		if got := matches(c.shown, c.output); got != c.want {
			t.Errorf("%q matches %q: %v", c.shown, c.output, got)
		}
	}
}
