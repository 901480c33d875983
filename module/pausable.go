package module

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// pausable is a body whose reading can be given up after some time and gone on
// with by somebody else. A read deadline of the connection would not do: what
// net/http has failed to read once, it may never read again. So each read runs
// beside, and the one that is under way when the time is over is waited for by
// whoever reads next.
type pausable struct {
	from    io.Reader
	timer   *time.Timer
	expired <-chan time.Time // nil while there is no limit
	reading chan struct{}    // closed when the read that is under way has ended; nil if there is none

	// What the last read gave, and has not been handed out. While there is one
	// under way, it is that one's.
	buffer [pausableRead]byte
	left   []byte
	err    error // behind what is left; it stays
}

// pausableRead is how much is read at once, in bytes.
const pausableRead = 16 << 10

func newPausable(from io.Reader) *pausable { return &pausable{from: from} }

// impatient limits the time for all that is read, until patient lifts that.
func (p *pausable) impatient(within caddy.Duration) {
	p.timer = time.NewTimer(time.Duration(within))
	p.expired = p.timer.C
}

func (p *pausable) patient() {
	p.timer.Stop()
	p.expired = nil
}

// Read gives os.ErrDeadlineExceeded when the time is over; nothing is lost then.
func (p *pausable) Read(b []byte) (int, error) {
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

func (p *pausable) begin() {
	reading := make(chan struct{})
	p.reading = reading
	go func() {
		defer close(reading)
		n, err := p.from.Read(p.buffer[:])
		p.left, p.err = p.buffer[:n], err
	}()
}

// resumedBody is a body of which a part has been read: that part, and the rest
// of the stream with the error it may end with. The part counts against the
// budget no longer than until it has been passed on, since the rest may take as
// long as the sender likes. Once the handlers have returned a transport may still
// hold the body, and must not read from a buffer that is another sender's by
// then.
type resumedBody struct {
	mu     sync.Mutex
	intake intake // the part that has been read
	read   bytes.Reader
	ended  bool
	rest   io.Reader
	closer io.Closer
}

// resume takes over what has been read.
func resume(in *intake, rest io.Reader, closer io.Closer) *resumedBody {
	b := &resumedBody{intake: *in, rest: rest, closer: closer}
	*in = intake{}
	b.read.Reset(b.intake.bytes())
	return b
}

// Read copies under the lock; the rest is the connection's, and waits for the
// sender.
func (b *resumedBody) Read(p []byte) (int, error) {
	if n, done, err := b.readPart(p); done {
		return n, err
	}
	return b.rest.Read(p)
}

// readPart reads from the part, while there is some of it.
func (b *resumedBody) readPart(p []byte) (n int, done bool, err error) {
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

func (b *resumedBody) giveBack() {
	b.read.Reset(nil)
	b.intake.giveBack()
}

// Close closes the sender's body.
func (b *resumedBody) Close() error { return b.closer.Close() }

// end keeps late readers out.
func (b *resumedBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.giveBack()
}
