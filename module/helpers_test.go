package module

import (
	"io"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/internal/bodies"
)

func formatSeconds(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

// readCloser hides the length of a body, so that it is sent chunked.
type readCloser struct{ io.Reader }

func (readCloser) Close() error { return nil }

// patience limits every wait for something that takes no time on an idle
// machine. It is long, because only a failing test waits to its end.
const patience = time.Minute

// waitUntil waits until another goroutine has done its work.
func waitUntil(t *testing.T, over func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !over(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen in %v", patience)
		}
	}
}

// expectNothingBuffered checks that no bodies are held any more. This may
// become true only a moment after a sender has read its answer.
func expectNothingBuffered(t *testing.T) {
	t.Helper()
	waitUntil(t, func() bool {
		runtime.GC() // some buffers may be left to the garbage collector
		return bodies.InUse() == bodies.Usage{}
	})
}
