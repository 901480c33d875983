package module

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptrace"
	"runtime"
	"sync"
	"time"
)

// replayedBody is a verified body on its way to the application. A proxy that
// tries another upstream after the first one failed sends the whole body again.
//
// All attempts read from this one value, and a transport may go on with an
// attempt in the background when it has long returned: if the upstream answered
// before it had read the body, for one. So a new attempt, which the transport
// announces through its trace, waits until the one before it has ended, and
// only then is the body rewound. Otherwise two would share its bytes between
// them, and an upstream would get what nobody signed.
//
// A transport that announces nothing, as FastCGI's, can read the body once. So can
// one behind a handler that has read the beginning and puts it in front of the
// rest, as reverse_proxy does with request_buffers: only that handler has the
// beginning.
type replayedBody struct {
	mu        sync.Mutex
	reader    bytes.Reader
	intake    intake // where it came from, and what holds it
	trace     httptrace.ClientTrace
	sent      chan struct{} // closed when an announced attempt has been written; nil if none is being written
	lent      bool          // it has been the body of a request
	announced bool          // the transport says when it begins
	spent     bool          // the attempt is over
	closed    bool          // by an attempt that was not announced
	ahead     int64         // bytes that a handler had read before the first announced attempt
	broken    bool          // whoever reads on would get a mixed or partial body
	ended     bool          // the buffer is given back
	leaving   bool          // the handlers have returned, and a transport still reads
	abandoned runtime.Cleanup
}

// lastAttempt is how long a new attempt waits for the one before it. That one's
// connection is closed by then, so it ends as soon as it writes.
const lastAttempt = time.Second

// errBodySpent is what a second attempt gets that was not announced.
var errBodySpent = errors.New("the body of the delivery has been read, and this transport does not say when it begins anew")

// arrived readies the body for its way, once it is there and verified.
func (b *replayedBody) arrived() { b.reader.Reset(b.intake.bytes()) }

// size is the length of the body in bytes.
func (b *replayedBody) size() int64 { return b.reader.Size() }

// lend hands it out as the body of a request with the returned context.
func (b *replayedBody) lend(ctx context.Context) context.Context {
	b.lent = true
	b.trace = httptrace.ClientTrace{
		// Not GetConn, which HTTP/2 calls with its pool of connections locked.
		GotConn:      func(httptrace.GotConnInfo) { b.begin(ctx) },
		WroteHeaders: b.writing,
		WroteRequest: func(httptrace.WroteRequestInfo) { b.written() },
	}
	return httptrace.WithClientTrace(ctx, &b.trace)
}

// begin is the beginning of an attempt.
func (b *replayedBody) begin(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if sent := b.sent; sent != nil && !b.ended {
		b.mu.Unlock()
		over := wait(ctx, sent)
		b.mu.Lock()
		// It may still read. Better no body at all than a mixed one.
		b.broken = b.broken || !over
	}
	read := b.reader.Size() - int64(b.reader.Len())
	if !b.announced && !b.closed {
		b.ahead = read
	}
	if b.ahead > 0 && read != b.ahead {
		b.broken = true // what was ahead is gone with the attempt before
	}
	if b.ended || b.broken {
		return
	}
	b.announced, b.spent = true, false
	_, _ = b.reader.Seek(b.ahead, io.SeekStart)
}

// wait reports whether an attempt is over.
func wait(ctx context.Context, sent <-chan struct{}) bool {
	select {
	case <-sent:
		return true
	case <-ctx.Done():
	case <-time.After(lastAttempt):
	}
	return false
}

// writing and written are the two ends of an announced attempt's use of the
// body.
func (b *replayedBody) writing() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sent == nil {
		b.sent = make(chan struct{})
	}
}

func (b *replayedBody) written() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = true
	if b.sent != nil {
		close(b.sent)
		b.sent = nil
	}
	b.left()
}

// Read copies under the lock, so that no reader is left with a part of the
// buffer itself.
func (b *replayedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ended, b.broken:
		return 0, io.ErrClosedPipe
	case b.spent && !b.announced:
		return 0, errBodySpent
	}
	n, err := b.reader.Read(p)
	if b.reader.Len() == 0 && len(p) > 0 && n == 0 && !b.announced {
		b.spent = true // its end has been seen
	}
	return n, err
}

// Close ends an attempt that was not announced. For an announced one, the
// transport may say it late, in the middle of the next.
func (b *replayedBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.announced {
		b.spent, b.closed = true, true
		b.left()
	}
	return nil
}

// end gives the buffer back once the handlers have returned; if a transport is
// still sending it to an upstream that answered before it had read all, as soon
// as that says that it is done. One that never does leaves the buffer to the
// garbage collector, and it counts until that has it. A reader that comes later
// all the same gets an error and never another sender's body.
func (b *replayedBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || b.leaving {
		return
	}
	// Where no upstream could be reached, nobody has begun to read.
	begun := b.announced || b.reader.Len() < int(b.reader.Size())
	if begun && (!b.spent || b.sent != nil) && b.intake.buffer != nil {
		b.leaving = true
		b.abandoned = runtime.AddCleanup(b.intake.buffer, func(held hold) { held.giveBack() }, b.intake.hold)
		return
	}
	b.giveBack()
}

// left gives the buffer back if the handlers have returned before the transport
// was done.
func (b *replayedBody) left() {
	if b.leaving && b.spent && b.sent == nil {
		b.leaving = false
		b.abandoned.Stop()
		b.giveBack()
	}
}

func (b *replayedBody) giveBack() {
	b.ended = true
	b.reader.Reset(nil)
	b.intake.giveBack()
}
