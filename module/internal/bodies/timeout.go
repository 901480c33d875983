package bodies

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"
)

// TimeoutReader reads a body and can stop after some time, so that another reader
// continues where it stopped. A read deadline of the connection would not do:
// after net/http has failed to read once, it may never read again. So each read
// runs in a goroutine, and the next reader waits for the one that is under way
// when the time is over.
type TimeoutReader struct {
	from    io.Reader
	timer   *time.Timer
	expired <-chan time.Time // nil while there is no limit
	reading chan struct{}    // closed when the read that is under way has ended; nil if there is none

	// What the last read gave, and has not been handed out. While there is one
	// under way, it is that one's.
	buffer [readSize]byte
	left   []byte
	err    error // behind what is left; it stays
}

// readSize is how much is read at once, in bytes.
const readSize = 16 << 10

// NewTimeoutReader returns a reader without a timeout.
func NewTimeoutReader(from io.Reader) *TimeoutReader { return &TimeoutReader{from: from} }

// SetTimeout limits the time for everything that is read until ClearTimeout.
func (p *TimeoutReader) SetTimeout(within time.Duration) {
	p.timer = time.NewTimer(within)
	p.expired = p.timer.C
}

// ClearTimeout ends what SetTimeout began.
func (p *TimeoutReader) ClearTimeout() {
	p.timer.Stop()
	p.expired = nil
}

// Read returns os.ErrDeadlineExceeded when the time is over. Nothing is lost then.
func (p *TimeoutReader) Read(b []byte) (int, error) {
	if p.reading == nil && len(p.left) == 0 && p.err == nil {
		p.begin()
	}
	if p.reading != nil {
		select {
		case <-p.reading:
			p.reading = nil
		case <-p.expired:
			return 0, os.ErrDeadlineExceeded
		}
	}
	n := copy(b, p.left)
	p.left = p.left[n:]
	if len(p.left) == 0 {
		return n, p.err
	}
	return n, nil
}

func (p *TimeoutReader) begin() {
	reading := make(chan struct{})
	p.reading = reading
	go func() {
		defer close(reading)
		n, err := p.from.Read(p.buffer[:])
		p.left, p.err = p.buffer[:n], err
	}()
}

// Prefixed is a body of which a part has been read: that part, and the rest
// of the stream with the error it may end with. The part counts against the
// budget no longer than until it has been passed on, since the rest may take as
// long as the sender likes. Once the handlers have returned a transport may still
// hold the body, and must not read from a buffer that is another sender's by
// then.
type Prefixed struct {
	mu     sync.Mutex
	part   Buffer // what has been read
	read   bytes.Reader
	ended  bool
	rest   io.Reader
	closer io.Closer
}

// NewPrefixed takes over what has been read, and leaves in empty.
func NewPrefixed(in *Buffer, rest io.Reader, closer io.Closer) *Prefixed {
	b := &Prefixed{part: *in, rest: rest, closer: closer}
	*in = Buffer{}
	b.read.Reset(b.part.Bytes())
	return b
}

// Read copies under the lock; the rest is the connection's, and waits for the
// sender.
func (b *Prefixed) Read(p []byte) (int, error) {
	if n, done, err := b.readPart(p); done {
		return n, err
	}
	return b.rest.Read(p)
}

// readPart reads from the part, while there is some of it.
func (b *Prefixed) readPart(p []byte) (n int, done bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, true, io.ErrClosedPipe
	}
	if b.read.Len() == 0 {
		b.giveBack()
		return 0, false, nil
	}
	n, err = b.read.Read(p)
	if b.read.Len() == 0 {
		b.giveBack()
	}
	return n, true, err
}

func (b *Prefixed) giveBack() {
	b.read.Reset(nil)
	b.part.GiveBack()
}

// Close closes the sender's body.
func (b *Prefixed) Close() error { return b.closer.Close() }

// End keeps late readers out and gives back what is held.
func (b *Prefixed) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.giveBack()
}
