package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// unfitting are words that no message has, and where they are right all the same.
var unfitting = []struct {
	text  *regexp.Regexp
	why   string
	right []string // files
}{
	{
		regexp.MustCompile(`(?:^|[^\w-])MACs?(?:$|[^\w-])`), "not every signature is a MAC; write signature",
		[]string{"schemes/providers/cryptr.go"}, // of HMACs alone
	},
	{regexp.MustCompile(`as the provider shows it`), "who copied it from there has done so; say what to change", nil},
}

// TestMessages reads every text of the library, the handler and the commands.
func TestMessages(t *testing.T) {
	read := 0
	for _, root := range []string{"schemes", "module", "caddyfile", "cmd"} {
		err := filepath.WalkDir(filepath.Join("..", root), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			name := strings.TrimPrefix(filepath.ToSlash(path), "../")
			ast.Inspect(file, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				read++
				for _, u := range unfitting {
					right := false
					for _, file := range u.right {
						right = right || file == name
					}
					if !right && u.text.MatchString(literal.Value) {
						t.Errorf("%s: %s: %s", name, literal.Value, u.why)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 1000 {
		t.Errorf("only %d texts are read", read)
	}
}
