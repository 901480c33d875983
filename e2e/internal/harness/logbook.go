package harness

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
)

// LogBook collects the log of a gateway. Tests can wait for entries.
type LogBook struct {
	Notice Notice
	mu     sync.Mutex
	text   bytes.Buffer
}

func (b *LogBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.Notice.Raise()
	return b.text.Write(p)
}

func (b *LogBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// Entry is one line of a JSON log.
type Entry map[string]any

// Text returns a string field.
func (e Entry) Text(key string) string {
	s, _ := e[key].(string)
	return s
}

// Find returns the first entry that matches.
func (b *LogBook) Find(matches func(Entry) bool) (Entry, bool) {
	for line := range strings.SplitSeq(b.String(), "\n") {
		var e Entry
		if json.Unmarshal([]byte(line), &e) == nil && matches(e) {
			return e, true
		}
	}
	return nil, false
}

// Await waits for an entry that matches, and returns the first.
func (b *LogBook) Await(t *testing.T, what string, matches func(Entry) bool) Entry {
	t.Helper()
	var found Entry
	Await(t, &b.Notice, what+" in the log", func() bool {
		e, ok := b.Find(matches)
		found = e
		return ok
	})
	return found
}

// AwaitLines waits until n lines of the log match.
func (g *Gateway) AwaitLines(t *testing.T, what string, n int, is func(string) bool) {
	t.Helper()
	Await(t, &g.Log.Notice, what+" in the log", func() bool { return g.Lines(is) >= n })
}

// Lines counts the lines of the log that match.
func (g *Gateway) Lines(is func(string) bool) (n int) {
	for line := range strings.Lines(g.Log.String()) {
		if is(line) {
			n++
		}
	}
	return n
}
