package caddyfile

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"

	// The other modules that the Caddyfiles use: basic_auth, reverse_proxy and the
	// stores.
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	_ "github.com/hooklatch/hooklatch/module/inbox/file"
	_ "github.com/hooklatch/hooklatch/module/replay/file"
	_ "github.com/hooklatch/hooklatch/module/replay/memory"
	_ "github.com/hooklatch/hooklatch/module/replay/none"
	_ "github.com/hooklatch/hooklatch/module/replay/redis"
	"github.com/hooklatch/hooklatch/schemes"
)

var update = flag.Bool("update", false, "rewrite what the files in testdata expect")

// separator separates a Caddyfile from its result.
const separator = "----------\n"

// adapt returns the indented JSON or the text of the error.
func adapt(t *testing.T, caddyfile string) (result string, failed bool) {
	t.Helper()
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt(
		[]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err.Error(), true
	}
	for _, w := range warnings {
		t.Errorf("warning: %v", w) // also for a file that `caddy fmt` would change
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, adapted, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return indented.String(), false
}

// adapterLine matches the place of an error in the adapter's form. Before the
// directive is parsed, Caddy writes places in other forms.
var adapterLine = regexp.MustCompile(`Caddyfile:[0-9]+`)

// withoutLists replaces the lists that every new provider makes longer.
func withoutLists(said string) string {
	var handshakes []string
	for _, s := range schemes.All() {
		if s.Handshake() != nil {
			handshakes = append(handshakes, s.Name())
		}
	}
	return strings.NewReplacer(
		strings.Join(schemes.Names(), ", "), "{schemes}", strings.Join(handshakes, ", "), "{handshakes}",
	).Replace(said)
}

func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, ok := strings.Cut(string(content), separator)
			if !ok && !*update {
				t.Fatal("no separator; run the test with -update")
			}
			got, failed := adapt(t, caddyfile)
			got = withoutLists(got)
			if failed && !adapterLine.MatchString(got) {
				t.Errorf("the error names no file and line: %s", got)
			}
			if isError := strings.HasPrefix(filepath.Base(file), "error_"); failed != isError {
				t.Errorf("a name beginning with error_ stands for an error; got:\n%s", got)
			}
			if *update {
				if err := os.WriteFile(file, []byte(caddyfile+separator+got+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got+"\n" != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
