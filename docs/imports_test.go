// Package docs has the test of the rules in architecture.md. It imports nothing
// of what it reads, so that it does not link Caddy.
package docs

import (
	"errors"
	"go/build"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/hooklatch/hooklatch/"

// importRule says what a folder and those below it may import.
type importRule struct {
	folder  string
	own     []string // folders of this module
	not     []string // of those
	foreign []string // other modules than the standard library; nil for any
}

// stores are the replay stores, which nothing below the root imports.
var stores = []string{"module/replay/memory", "module/replay/file", "module/replay/redis", "module/replay/none"}

// importRules are rule 1 of docs/architecture.md. The first one that fits counts.
var importRules = []importRule{
	{folder: "schemes/internal/engine", foreign: []string{"github.com/tidwall/gjson"}},
	{folder: "schemes/providers", own: []string{"schemes/internal/engine"}, foreign: []string{}},
	{folder: "schemes", own: []string{"schemes"}, foreign: []string{"github.com/tidwall/gjson"}},
	{folder: "module/internal/boltfile", own: []string{"module/internal/boltfile"}},
	{folder: "module/internal/tenants", foreign: []string{"github.com/hashicorp/golang-lru/v2"}},
	{folder: "module/internal", own: []string{"module/internal"}, foreign: []string{}},
	{folder: "module/args"},
	{folder: "module/deliveries", own: []string{"module/deliveries", "module/internal"}, foreign: []string{}},
	{folder: "module/replay", own: []string{"module/args", "module/internal/boltfile", "module/replay"}},
	{folder: "module/inbox", own: []string{"module/args", "module/internal/boltfile", "module/replay", "module/inbox"}, not: stores},
	{folder: "module/inspector", own: []string{"module/deliveries", "module/inbox", "schemes"}, not: []string{"module/inbox/file"}, foreign: []string{}},
	{folder: "module", own: []string{"module", "schemes"}, not: append(stores, "module/inbox/file")},
	{folder: "caddyfile/definition", own: []string{"module/args", "schemes"}},
	{folder: "caddyfile", own: []string{"caddyfile", "module", "schemes"}},
	{folder: "cmd", own: []string{"cmd", "caddyfile", "module", "schemes", "examples/quickstart"}},
}

// TestImports keeps every import pointing down.
func TestImports(t *testing.T) {
	for _, root := range []string{"schemes", "module", "caddyfile", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.IsDir() {
				return err
			}
			p, err := build.ImportDir(path, 0)
			if _, empty := errors.AsType[*build.NoGoError](err); empty {
				return nil
			}
			if err != nil {
				return err
			}
			folder := strings.TrimPrefix(filepath.ToSlash(path), "../")
			for _, imported := range p.Imports {
				if !mayImport(folder, imported) {
					t.Errorf("%s imports %s; docs/architecture.md says who may import whom", folder, imported)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestImportRules shows that the rules forbid what they are for.
func TestImportRules(t *testing.T) {
	for _, c := range []struct {
		folder, imported string
		want             bool
	}{
		{"schemes", "net/http", true},
		{"schemes/explain", modulePath + "schemes", true},
		{"schemes", "github.com/caddyserver/caddy/v2", false},
		{"schemes/providers", modulePath + "schemes/internal/engine", true},
		{"schemes/providers", modulePath + "schemes", false},
		{"schemes/internal/engine", modulePath + "schemes/providers", false},
		{"schemes/explain", modulePath + "module", false},
		{"module/internal/bodies", "bytes", true},
		{"module/internal/bodies", "github.com/caddyserver/caddy/v2", false},
		{"module/args", modulePath + "caddyfile", false},
		{"module/replay/file", "go.etcd.io/bbolt", true},
		{"module/replay/file", modulePath + "module", false},
		{"module", modulePath + "module/replay", true},
		{"module", modulePath + "module/replay/memory", false},
		{"module", modulePath + "caddyfile", false},
		{"module", modulePath + "module/inbox/file", false},
		{"module/inspector", modulePath + "module", false},
		{"module/inspector", "github.com/caddyserver/caddy/v2", false},
		{"module/inbox/file", modulePath + "module/replay", true},
		{"module/inbox/file", modulePath + "module/replay/file", false},
		{"caddyfile", modulePath + "cmd/webhook", false},
		{"caddyfile/definition", modulePath + "module/args", true},
		{"caddyfile/definition", modulePath + "module", false},
		{"elsewhere", "bytes", false},
	} {
		if got := mayImport(c.folder, c.imported); got != c.want {
			t.Errorf("%s may import %s: %v, want %v", c.folder, c.imported, got, c.want)
		}
	}
}

func mayImport(folder, imported string) bool {
	i := slices.IndexFunc(importRules, func(r importRule) bool { return isBelow(folder, r.folder) })
	if i < 0 {
		return false
	}
	rule := importRules[i]
	under := func(folders []string, path string) bool {
		return slices.ContainsFunc(folders, func(f string) bool { return isBelow(path, f) })
	}
	if own, ours := strings.CutPrefix(imported, modulePath); ours {
		return under(rule.own, own) && !under(rule.not, own)
	}
	host, _, _ := strings.Cut(imported, "/")
	isStandard := !strings.Contains(host, ".")
	return isStandard || rule.foreign == nil || under(rule.foreign, imported)
}

// isBelow reports whether a path is a folder or in it.
func isBelow(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}
