package main

import (
	"fmt"
	"regexp"
	"strings"
)

// grammarMark tells the test of the documentation what the block below is.
const grammarMark = "<!-- not run: it is the grammar; caddyfile/testdata has each option -->"

// writer collects the parts of the page.
type writer struct {
	source *source
	parts  []string
}

func (w *writer) line(text string) {
	if text != "" {
		w.parts = append(w.parts, text)
	}
}

func (w *writer) text() string { return strings.Join(w.parts, "\n\n") + "\n" }

// fields writes a table of a struct's fields, and one for each struct of ours
// that a field has. name is the field whose they are, empty at the top.
func (w *writer) fields(p *pkg, typ, name string) error {
	all, err := w.flat(p, typ)
	if err != nil || len(all) == 0 {
		return err
	}
	if name != "" {
		w.line(fmt.Sprintf("`%s` has:", name))
	}
	var rows strings.Builder
	rows.WriteString("| name | type | default | meaning |\n| --- | --- | --- | --- |")
	for _, f := range all {
		if f.doc == "" {
			return fmt.Errorf("%s.%s has no comment", typ, f.name)
		}
		meaning, fallback := splitDefault(f.doc)
		fmt.Fprintf(&rows, "\n| `%s` | %s | %s | %s |", f.name, f.kind, cell(fallback), cell(meaning))
	}
	w.line(rows.String())
	for _, f := range all {
		if nested, err := w.structOf(f); err != nil {
			return err
		} else if nested != nil {
			if err := w.fields(nested, f.typ, f.name); err != nil {
				return err
			}
		}
	}
	return nil
}

// flat gives the fields of a struct, and behind them those that it embeds.
func (w *writer) flat(p *pkg, typ string) ([]field, error) {
	var own, embedded []field
	for _, f := range p.types[typ].fields {
		if f.name != "" {
			own = append(own, f)
			continue
		}
		from, err := w.structOf(f)
		if err != nil {
			return nil, err
		}
		if from != nil {
			inner, err := w.flat(from, f.typ)
			if err != nil {
				return nil, err
			}
			embedded = append(embedded, inner...)
		}
	}
	return append(own, embedded...), nil
}

// structOf gives the package that has the field's struct, nil if that is not
// one of ours.
func (w *writer) structOf(f field) (*pkg, error) {
	if f.typ == "" || f.pkg == "" {
		return nil, nil
	}
	p, err := w.source.load(f.pkg)
	if err != nil || p.types[f.typ] == nil {
		return nil, err
	}
	return p, nil
}

var defaultSentence = regexp.MustCompile(`(?s)\s*Default:\s+(.+?)\.?\s*$`)

// splitDefault takes the default out of a comment, where it is the last thing.
func splitDefault(doc string) (meaning, fallback string) {
	found := defaultSentence.FindStringSubmatch(doc)
	if found == nil {
		return doc, ""
	}
	return strings.TrimSuffix(doc, found[0]), found[1]
}

// cell makes a text fit into one line of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
