// Command reference writes the second half of docs/reference.md from the
// comments in the code: those of the structs that a configuration is decoded
// into, and the Syntax blocks of what reads a Caddyfile.
//
//	cd e2e && go run ./reference
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
)

// root is the repository, from the folder of the e2e module.
const root = ".."

func main() {
	log.SetFlags(0)
	path := filepath.Join(root, "docs", "reference.md")
	old, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	text, err := page(root, string(old))
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		log.Fatal(err)
	}
}

// generatedMark is the line of docs/reference.md after which everything is
// written from the code. People write what stands before it.
const generatedMark = "<!-- GENERATED from here on: written by make docs -->\n"

// page returns docs/reference.md as it should be, from what it is now.
func page(root, old string) (string, error) {
	written, _, found := strings.Cut(old, generatedMark)
	if !found {
		return "", fmt.Errorf("docs/reference.md lacks the line %q", strings.TrimSpace(generatedMark))
	}
	generated, err := generate(root)
	return written + generatedMark + "\n" + generated, err
}

// generate makes the part that comes from the code.
func generate(root string) (string, error) {
	s := &source{root: root, packages: map[string]*pkg{}}
	directives, err := s.load("caddyfile")
	if err != nil {
		return "", err
	}
	definition, err := s.load("caddyfile/definition")
	if err != nil {
		return "", err
	}
	handler, err := s.load("module")
	if err != nil {
		return "", err
	}
	w := &writer{source: s}
	w.line("## The handler")
	w.line(prose(handler.types["Handler"].doc))
	w.line("### Caddyfile")
	w.line(prose(directives.syntaxes["parse"]))
	w.line("A scheme of your own, see [schemes.md](schemes.md):")
	w.line(prose(definition.syntaxes["Read"]))
	w.line("### JSON")
	w.line("The module `http.handlers.verify_webhook`. A duration is a text such as `5m`, or a\nnumber of nanoseconds.")
	if err := w.fields(handler, "Handler", ""); err != nil {
		return "", err
	}
	w.line("## The app")
	w.line(prose(handler.types["App"].doc))
	w.line("In the Caddyfile it is a global option:")
	w.line(prose(directives.syntaxes["parseGlobal"]))
	w.line("JSON: the app `verify_webhook`.")
	if err := w.fields(handler, "App", ""); err != nil {
		return "", err
	}
	w.line("## The page")
	w.line(prose(handler.types["Inspector"].doc))
	w.line(prose(directives.syntaxes["parseInspector"]))
	w.line("JSON: the module `http.handlers.webhook_inspector`.")
	if err := w.fields(handler, "Inspector", ""); err != nil {
		return "", err
	}
	for _, kind := range kindsOfStores {
		files, err := filepath.Glob(filepath.Join(root, "module", kind.folder, "*", "*.go"))
		if err != nil {
			return "", err
		}
		for _, dir := range folders(files) {
			if err := w.store(dir, kind); err != nil {
				return "", err
			}
		}
	}
	return w.text(), nil
}

// folders lists those of the files, each once.
func folders(files []string) []string {
	var list []string
	for _, file := range files {
		if dir := filepath.Dir(file); len(list) == 0 || list[len(list)-1] != dir {
			list = append(list, dir)
		}
	}
	return list
}

// kindOfStore is a kind of module that stores something: where its packages are,
// what a page calls it, and how JSON names it.
type kindOfStore struct{ folder, title, namespace, option, key string }

var kindsOfStores = []kindOfStore{
	{"replay", "The store ", "http.verify_webhook.replay_stores", "replay", "store"},
	{"inbox", "The inbox ", "http.verify_webhook.inboxes", "inbox", "inbox"},
}

// store writes about a store, if the folder has one.
func (w *writer) store(dir string, kind kindOfStore) error {
	relative, err := filepath.Rel(w.source.root, dir)
	if err != nil {
		return err
	}
	p, err := w.source.load(relative)
	if err != nil || p.types["Store"] == nil {
		return err
	}
	name := filepath.Base(dir)
	w.line("## " + kind.title + name)
	w.line(prose(p.types["Store"].doc))
	w.line(prose(p.syntaxes["UnmarshalCaddyfile"]))
	w.line(fmt.Sprintf("JSON: the module `%s.%s`, in `%s` with `%q: %q`.", kind.namespace, name, kind.option, kind.key, name))
	return w.fields(p, "Store", "")
}

// prose turns a doc comment into Markdown: what is indented becomes a block.
func prose(comment string) string {
	var out strings.Builder
	block := false
	for line := range strings.Lines(comment) {
		code := strings.HasPrefix(line, "\t")
		if code != block && strings.TrimSpace(line) != "" {
			out.WriteString(map[bool]string{true: grammarMark + "\n```text\n", false: "```\n\n"}[code])
			block = code
		}
		out.WriteString(strings.TrimPrefix(line, "\t"))
	}
	if block {
		out.WriteString("```\n")
	}
	return strings.TrimSpace(out.String())
}
