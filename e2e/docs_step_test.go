package e2e

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"strings"
)

// step is a fenced block of a Markdown page with the marks in the comments
// above it, or a comment that is a step by itself.
type step struct {
	line     int
	language string // empty for a comment
	marks    map[string]string
	text     string
}

// The marks that may be in comments above a block; CONTRIBUTING.md explains
// them. Those with true need a value.
var marks = map[string]bool{
	"file": true, "inside": true, "not run": true, "exit": true, "env": true,
	"output": false, "background": false, "application": true,
}

var (
	markLine  = regexp.MustCompile(`^\s*<!-- ([a-z ]+?)(?:: (.+?))? -->$`)
	fenceLine = regexp.MustCompile("^(\\s*)```(\\S*)$")
	listLine  = regexp.MustCompile(`^([-*]|\d+\.) `)
)

// readPage returns the steps of a page. Indented code is an error, because
// unlike a fenced block it has no language.
func readPage(path string) ([]step, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := pageReader{pending: map[string]string{}}
	for i, line := range strings.Split(string(content), "\n") {
		if err := r.read(i+1, line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
		}
	}
	if r.open != nil {
		return nil, fmt.Errorf("%s:%d: the block does not end", path, r.open.line)
	}
	return r.steps, nil
}

type pageReader struct {
	steps   []step
	pending map[string]string // marks for the next block
	open    *step
	indent  string // of the open block
	blank   bool   // the last line was
	list    bool   // within one
}

func (r *pageReader) read(n int, line string) error {
	fence := fenceLine.FindStringSubmatch(line)
	switch {
	case r.open != nil && fence != nil && fence[2] == "":
		r.steps = append(r.steps, *r.open)
		r.open = nil
	case r.open != nil:
		r.open.text += strings.TrimPrefix(line, r.indent) + "\n"
	case fence != nil:
		r.indent = fence[1]
		r.open = &step{line: n, language: fence[2], marks: r.pending}
		r.pending = map[string]string{}
		if r.open.language == "" {
			return fmt.Errorf("the block has no language; write one behind the ```")
		}
	default:
		return r.readProse(n, line)
	}
	return nil
}

func (r *pageReader) readProse(n int, line string) error {
	if mark := markLine.FindStringSubmatch(line); mark != nil {
		return r.readMark(n, mark[1], mark[2])
	}
	wasBlank := r.blank
	r.blank = strings.TrimSpace(line) == ""
	if r.blank {
		return nil
	}
	if len(r.pending) > 0 {
		return fmt.Errorf("no block follows the comment %v", r.pending)
	}
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if indent == 0 {
		r.list = listLine.MatchString(line)
	}
	if least := map[bool]int{false: 4, true: 6}[r.list]; wasBlank && indent >= least {
		return fmt.Errorf("indented code; write a block with ``` and its language")
	}
	return nil
}

func (r *pageReader) readMark(n int, name, value string) error {
	needsValue, known := marks[name]
	if !known || needsValue && value == "" {
		return fmt.Errorf("the comment %q is not known, or needs a value", name)
	}
	if name == "application" || name == "env" {
		r.steps = append(r.steps, step{line: n, marks: map[string]string{name: value}})
		return nil
	}
	maps.Copy(r.pending, map[string]string{name: value})
	return nil
}

// has reports whether the step has a mark.
func (s step) has(mark string) bool {
	_, ok := s.marks[mark]
	return ok
}

// matches reports whether an output matches the page: a … stands for any text
// in a line, and on its own line for any lines.
func matches(shown, output string) bool {
	var pattern strings.Builder
	pattern.WriteString("^")
	for line := range strings.Lines(strings.TrimSpace(shown) + "\n") {
		line = strings.TrimRight(line, " \n")
		if line == "…" {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		parts := strings.Split(line, "…")
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		pattern.WriteString(strings.Join(parts, ".*") + ` *\r?\n`)
	}
	return regexp.MustCompile(pattern.String() + `\s*$`).MatchString(strings.TrimSpace(output) + "\n")
}
