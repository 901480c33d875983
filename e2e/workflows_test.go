package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	pinned  = regexp.MustCompile(`^[\w-]+/[\w/.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	usesOf  = regexp.MustCompile(`(?m)^\s*(?:- )?uses: (.+)$`)
	makeRun = regexp.MustCompile(`(?m)^\s*- run: (?:make|\.ci/run) (.+)$`)
)

// TestWorkflows: actions of others are pinned to a commit, since a tag can be
// moved, and the make targets that workflows run exist.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	makefile := contents(t, "../Makefile")
	for _, file := range files {
		text := contents(t, file)
		for _, uses := range usesOf.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(uses[1], "./") && !pinned.MatchString(uses[1]) {
				t.Errorf("%s: %s is not pinned by a commit with its version behind it", file, uses[1])
			}
		}
		for _, run := range makeRun.FindAllStringSubmatch(text, -1) {
			for target := range strings.FieldsSeq(run[1]) {
				if !strings.Contains(makefile, "\n"+target+":") {
					t.Errorf("%s: there is no make %s", file, target)
				}
			}
		}
	}
}
