package main

import (
	"os"
	"strings"
	"testing"
)

// TestFresh fails when a comment or an option has changed and docs/reference.md
// has not.
func TestFresh(t *testing.T) {
	got, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := page("../..", string(got))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("docs/reference.md is stale; run make docs")
	}
	for _, option := range []string{"| `body_timeout` | duration | 10s |", "| `past` | duration | 5m, unless", "| `size` | number | 100000 |", "| `ttl` | duration |", "    retry_after   <duration>", "    max_buffered <size>"} {
		if !strings.Contains(want, option) {
			t.Errorf("the reference has no %q", option)
		}
	}
}

// TestNoMark: a page without the line would lose what people wrote.
func TestNoMark(t *testing.T) {
	if _, err := page("../..", "written by hand"); err == nil || !strings.Contains(err.Error(), "lacks the line") {
		t.Errorf("a page without the line: %v", err)
	}
}

// TestSchemesPage: the page about schemes has the same grammar as the code.
func TestSchemesPage(t *testing.T) {
	s := &source{root: "../..", packages: map[string]*pkg{}}
	p, err := s.load("caddyfile/definition")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/schemes.md")
	if err != nil {
		t.Fatal(err)
	}
	if syntax := prose(p.syntaxes["Read"]); syntax == "" || !strings.Contains(string(page), syntax) {
		t.Errorf("docs/schemes.md does not have:\n%s", syntax)
	}
}

func TestSplitDefault(t *testing.T) {
	for doc, want := range map[string][2]string{
		"How long.\nDefault: 5m.\n":            {"How long.", "5m"},
		"How long. Default: 24h; 7d\nwithout.": {"How long.", "24h; 7d\nwithout"},
		"By default nothing is said about it.": {"By default nothing is said about it.", ""},
		"Prefix. Default: `hooklatch:`.":       {"Prefix.", "`hooklatch:`"},
	} {
		meaning, fallback := splitDefault(doc)
		if got := [2]string{meaning, fallback}; got != want {
			t.Errorf("%q: %q, not %q", doc, got, want)
		}
	}
}
