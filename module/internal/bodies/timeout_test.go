package bodies

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestTimeoutReaderReadsAll(t *testing.T) {
	content := strings.Repeat("0123456789", 4000) // more than is read at once
	for name, from := range map[string]io.Reader{
		"whole":          strings.NewReader(content),
		"in pieces":      &inPieces{strings.NewReader(content)},
		"end with bytes": iotest.DataErrReader(strings.NewReader(content)),
	} {
		if err := iotest.TestReader(NewTimeoutReader(from), []byte(content)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTimeoutReaderKeepsAnError(t *testing.T) {
	p := NewTimeoutReader(io.MultiReader(strings.NewReader("ab"), iotest.ErrReader(errBroken)))
	if got, err := io.ReadAll(p); string(got) != "ab" || !errors.Is(err, errBroken) {
		t.Errorf("%q %v", got, err)
	}
	if n, err := p.Read(make([]byte, 1)); n != 0 || !errors.Is(err, errBroken) {
		t.Errorf("again: %d %v", n, err)
	}
}

// TestTimeoutReaderLosesNothing checks that the next reader gets the result of
// a read that was running at the timeout.
func TestTimeoutReaderLosesNothing(t *testing.T) {
	from, to := io.Pipe()
	p := NewTimeoutReader(from)
	p.SetTimeout(time.Millisecond)
	for range 2 { // also for the second Read
		p.timer.Reset(time.Millisecond)
		if n, err := p.Read(make([]byte, 5)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%d %v", n, err)
		}
	}
	p.ClearTimeout()
	go func() {
		_, _ = io.WriteString(to, "late")
		_ = to.CloseWithError(errBroken)
	}()
	if got, err := io.ReadAll(p); string(got) != "late" || !errors.Is(err, errBroken) {
		t.Errorf("%q %v", got, err)
	}
}

// TestLateReaderOfAResumedBody checks that a late reader gets no bytes of the
// buffer, which may hold another sender's body by then.
func TestLateReaderOfAResumedBody(t *testing.T) {
	closed := false
	b := NewPrefixed(&Buffer{pooled: &pooledBuffer{[]byte("read")}}, strings.NewReader("rest"), closing(func() error { closed = true; return nil }))
	first := make([]byte, 2)
	if _, err := io.ReadFull(b, first); err != nil || string(first) != "re" {
		t.Fatalf("%q %v", first, err)
	}
	if err := b.Close(); err != nil || !closed {
		t.Errorf("%v, closed: %v", err, closed)
	}
	b.End()
	if got, err := io.ReadAll(b); len(got) != 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%q %v", got, err)
	}
}

// TestResumedBodyIsNotHeld checks that the buffer is released once the part has
// been passed on, because the rest may take as long as the sender likes.
func TestResumedBodyIsNotHeld(t *testing.T) {
	expectNothingBuffered(t)
	var in Buffer
	if err := in.ReadAll(strings.NewReader("read"), Limits{Declared: -1, Most: 10, Budget: free}, io.Discard); err != nil {
		t.Fatal(err)
	}
	rest, sender := io.Pipe()
	b := NewPrefixed(&in, rest, rest)
	first := make([]byte, 4)
	if _, err := io.ReadFull(b, first); err != nil || string(first) != "read" || InUse().Bodies != 0 {
		t.Errorf("%q %v, and %d bytes are counted", first, err, InUse().Bodies)
	}
	go func() {
		_, _ = io.WriteString(sender, "rest")
		sender.Close()
	}()
	if got, err := io.ReadAll(b); string(got) != "rest" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	b.End()
	expectNothingBuffered(t)
}

type closing func() error

func (c closing) Close() error { return c() }
