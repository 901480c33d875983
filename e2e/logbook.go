package e2e

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
)

// logBook keeps what a gateway writes, and can be waited on.
type logBook struct {
	notice notice
	mu     sync.Mutex
	text   bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.notice.raise()
	return b.text.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// entry is one line of a JSON log.
type entry map[string]any

func (e entry) text(key string) string {
	s, _ := e[key].(string)
	return s
}

func (b *logBook) find(matches func(entry) bool) (entry, bool) {
	for line := range strings.SplitSeq(b.String(), "\n") {
		var e entry
		if json.Unmarshal([]byte(line), &e) == nil && matches(e) {
			return e, true
		}
	}
	return nil, false
}

// await returns the first entry that matches.
func (b *logBook) await(t *testing.T, what string, matches func(entry) bool) entry {
	t.Helper()
	var found entry
	await(t, &b.notice, what+" in the log", func() bool {
		e, ok := b.find(matches)
		found = e
		return ok
	})
	return found
}

// awaitLines waits for a number of lines in the log.
func (g *gateway) awaitLines(t *testing.T, what string, n int, is func(string) bool) {
	t.Helper()
	await(t, &g.log.notice, what+" in the log", func() bool { return g.lines(is) >= n })
}

func (g *gateway) lines(is func(string) bool) (n int) {
	for line := range strings.Lines(g.log.String()) {
		if is(line) {
			n++
		}
	}
	return n
}
