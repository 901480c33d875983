package module

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func TestPausableReadsAll(t *testing.T) {
	content := strings.Repeat("0123456789", 4000) // more than is read at once
	for name, from := range map[string]io.Reader{
		"whole":          strings.NewReader(content),
		"in pieces":      &inPieces{strings.NewReader(content)},
		"end with bytes": iotest.DataErrReader(strings.NewReader(content)),
	} {
		if err := iotest.TestReader(newPausable(from), []byte(content)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPausableKeepsAnError(t *testing.T) {
	p := newPausable(io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(errStore)))
	if got, err := io.ReadAll(p); string(got) != "ab" || !errors.Is(err, errStore) {
		t.Errorf("%q %v", got, err)
	}
	if n, err := p.Read(make([]byte, 1)); n != 0 || !errors.Is(err, errStore) {
		t.Errorf("again: %d %v", n, err)
	}
}

// TestPausableLosesNothing: the read that is under way when the time is over is
// the next reader's.
func TestPausableLosesNothing(t *testing.T) {
	from, to := io.Pipe()
	p := newPausable(from)
	p.impatient(caddy.Duration(time.Millisecond))
	for range 2 { // also for whoever asks again
		p.timer.Reset(time.Millisecond)
		if n, err := p.Read(make([]byte, 5)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%d %v", n, err)
		}
	}
	p.patient()
	go func() {
		_, _ = io.WriteString(to, "late")
		_ = to.CloseWithError(errStore)
	}()
	if got, err := io.ReadAll(p); string(got) != "late" || !errors.Is(err, errStore) {
		t.Errorf("%q %v", got, err)
	}
}

// TestLateReaderOfAResumedBody gets no bytes of the buffer, which is another
// sender's by then.
func TestLateReaderOfAResumedBody(t *testing.T) {
	closed := false
	b := &resumedBody{rest: strings.NewReader("rest"), closer: closing(func() error { closed = true; return nil })}
	b.read.Reset([]byte("read"))
	first := make([]byte, 2)
	if _, err := io.ReadFull(b, first); err != nil || string(first) != "re" {
		t.Fatalf("%q %v", first, err)
	}
	if err := b.Close(); err != nil || !closed {
		t.Errorf("%v, closed: %v", err, closed)
	}
	b.end()
	if got, err := io.ReadAll(b); len(got) != 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%q %v", got, err)
	}
}

type closing func() error

func (c closing) Close() error { return c() }
