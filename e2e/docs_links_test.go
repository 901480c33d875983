package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	linkTarget = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headline   = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInID    = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// checkLinks fails for a link to a file or a heading that is not in the
// repository.
func checkLinks(t *testing.T, page string) {
	t.Helper()
	text := contents(t, page)
	for _, link := range linkTarget.FindAllStringSubmatch(text, -1) {
		target, id, _ := strings.Cut(link[1], "#")
		if strings.Contains(target, "://") {
			continue
		}
		path := page
		if target != "" {
			path = filepath.Join(filepath.Dir(page), target)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%s: there is no %s", page, link[1])
			continue
		}
		if id != "" && !headlineIDs(contents(t, path))[id] {
			t.Errorf("%s: %s has no headline #%s", page, path, id)
		}
	}
}

// headlineIDs returns the ids of headings as GitHub generates them.
func headlineIDs(text string) map[string]bool {
	ids := map[string]bool{}
	for _, found := range headline.FindAllStringSubmatch(text, -1) {
		id := notInID.ReplaceAllString(strings.ToLower(strings.TrimSpace(found[1])), "")
		ids[strings.ReplaceAll(id, " ", "-")] = true
	}
	return ids
}
