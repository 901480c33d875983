package bodies

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"
)

// TimeoutReader reads a body and can stop after a timeout, so that another
// reader continues where it stopped. A read deadline on the connection does not
// allow this: once a read has failed, net/http may never read again. So each
// read runs in a goroutine. If one is still running at the timeout, the next
// reader waits for it.
type TimeoutReader struct {
	from    io.Reader
	timer   *time.Timer
	expired <-chan time.Time // nil while there is no limit
	reading chan struct{}    // closed when the read that is under way has ended; nil if there is none

	// The result of the last read, as far as it has not been returned. While a
	// read is running, only its goroutine may use these fields.
	buffer [readSize]byte
	left   []byte
	err    error // returned after left; it stays
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

// ClearTimeout removes the limit that SetTimeout set.
func (p *TimeoutReader) ClearTimeout() {
	p.timer.Stop()
	p.expired = nil
}

// Read returns os.ErrDeadlineExceeded when the time is over. No data is lost
// then.
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

// Prefixed is a body whose first part has been read already. It returns that
// part, then the rest of the stream and any error that it ends with. The part
// counts against the budget only until it has been passed on, since the rest
// may take as long as the sender likes. A transport may still hold the body
// after the handlers have returned; it must not read from a buffer that holds
// another sender's body by then.
type Prefixed struct {
	mu     sync.Mutex
	part   Buffer // what has been read
	read   bytes.Reader
	ended  bool
	rest   io.Reader
	closer io.Closer
}

// NewPrefixed returns the body that begins with in and continues with rest. It
// takes over the buffer and leaves in empty.
func NewPrefixed(in *Buffer, rest io.Reader, closer io.Closer) *Prefixed {
	b := &Prefixed{part: *in, rest: rest, closer: closer}
	*in = Buffer{}
	b.read.Reset(b.part.Bytes())
	return b
}

// Read copies the part under the lock. It reads the rest without the lock,
// because that waits for the sender.
func (b *Prefixed) Read(p []byte) (int, error) {
	if n, done, err := b.readPart(p); done {
		return n, err
	}
	return b.rest.Read(p)
}

// readPart reads from the part while any of it is left.
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

// End gives the buffer back. Later reads fail.
func (b *Prefixed) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.giveBack()
}
