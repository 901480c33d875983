package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestDocumentation follows the README and every page of docs from top to
// bottom: it loads each configuration, runs each command and compares the
// output with the page. CONTRIBUTING.md describes the comments with which a
// page marks its blocks.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	harness.Needs(t, "bash")
	harness.Needs(t, "curl")
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, path := range append(pages, "../README.md") {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(path, "../"), ".md"), func(t *testing.T) {
			t.Parallel()
			steps, err := readPage(path)
			if err != nil {
				t.Fatal(err)
			}
			checkLinks(t, path)
			r := newReader(t)
			for _, s := range steps {
				if why, left := s.marks["not run"]; left {
					t.Logf("%s:%d: %s not run: %s", path, s.line, s.language, why)
					continue
				}
				if err := r.follow(t, s); err != nil {
					t.Fatalf("%s:%d: %v", path, s.line, err)
				}
			}
		})
	}
}

// follow executes a step.
func (r *reader) follow(t *testing.T, s step) error {
	t.Helper()
	switch {
	case s.has("env"):
		name, value, _ := strings.Cut(s.marks["env"], "=")
		r.env[name] = value
		return nil
	case s.has("application"):
		if got := r.delivered(); s.marks["application"] != fmt.Sprint(got) {
			return fmt.Errorf("the applications received %d deliveries, not %s", got, s.marks["application"])
		}
		return nil
	case s.has("output"):
		if !matches(s.text, r.said) {
			return fmt.Errorf("the command printed\n%s\ninstead of\n%s", r.said, s.text)
		}
		return nil
	case s.language == "sh":
		return r.run(t, s)
	case s.language == "caddyfile" || s.language == "json":
		return r.configure(s)
	case s.has("file"):
		return r.write(s.marks["file"], s.text)
	}
	return fmt.Errorf("nothing says what this %s is; write a comment above it", s.language)
}

// configure checks a configuration, and keeps it if the page gives it a name.
func (r *reader) configure(s step) error {
	if name, named := s.marks["file"]; named {
		if err := r.write(name, s.text); err != nil {
			return err
		}
	}
	text := s.text
	if place, within := s.marks["inside"]; within {
		text = wrap(s.language, place, text)
	}
	const scratch = "block-of-the-page"
	if err := r.write(scratch, text); err != nil {
		return err
	}
	defer os.Remove(filepath.Join(r.dir, scratch))
	r.provide(text)
	adapter := ""
	if s.language == "caddyfile" {
		adapter = " --adapter caddyfile"
		if said, code := r.bash("hooklatch fmt --diff " + scratch); code != 0 {
			return fmt.Errorf("hooklatch fmt would change it:\n%s", said)
		}
	}
	if said, code := r.bash("hooklatch validate --config " + scratch + adapter); code != 0 {
		return fmt.Errorf("hooklatch validate: exit status %d\n%s", code, said)
	}
	return nil
}

// wrap completes a part of a configuration, at the place that the page names.
// In a Caddyfile this is the site, the global options or a directive of the
// site. In JSON it is the routes, or the handlers of a route.
func wrap(language, place, text string) string {
	switch {
	case language == "json" && place == "handle":
		return wrap(language, "routes", `{"handle":[`+text+`]}`)
	case language == "json":
		return `{"apps":{"http":{"servers":{"hooks":{"listen":[":8080"],"routes":[` + text + `]}}}}}`
	case place == "site":
		return ":8080 {\n" + indented(text) + "}\n"
	case place == "global":
		return "{\n" + indented(text) + "}\n"
	}
	return wrap(language, "site", place+" {\n"+indented(text)+"}\n")
}

func indented(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			line = "\t" + line
		}
		out.WriteString(line)
	}
	return out.String()
}
