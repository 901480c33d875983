package bodies

import (
	"errors"
	"io"
	"testing"
	"time"
)

var errBroken = errors.New("the stream is broken")

// inPieces reads up to seven bytes at a time.
type inPieces struct{ r io.Reader }

func (o inPieces) Read(p []byte) (int, error) {
	if len(p) > 7 {
		p = p[:7]
	}
	return o.r.Read(p)
}

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
