package module

import (
	"bytes"
	"context"
	"io"
	"net/http/httptrace"
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
type replayedBody struct {
	mu     sync.Mutex
	reader bytes.Reader
	buffer []byte
	sent   chan struct{} // closed when an attempt has been written; nil between attempts
	lent   bool          // it has been the body of a request
	closed bool          // and that request is over
	ended  bool          // nobody may read any more
}

// lastAttempt is how long a new attempt waits for the one before it. That one's
// connection is closed by then, so it ends as soon as it writes.
const lastAttempt = time.Second

func newReplayedBody(body []byte) *replayedBody {
	b := &replayedBody{buffer: body}
	b.reader.Reset(body)
	return b
}

// size is the length of the body in bytes.
func (b *replayedBody) size() int64 { return b.reader.Size() }

// lend hands it out as the body of a request with the returned context.
func (b *replayedBody) lend(ctx context.Context) context.Context {
	b.lent = true
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { b.begin() },
		WroteHeaders: b.writing,
		WroteRequest: func(httptrace.WroteRequestInfo) { b.written() },
	})
}

// begin is the beginning of an attempt.
func (b *replayedBody) begin() {
	b.mu.Lock()
	sent := b.sent
	b.mu.Unlock()
	if sent != nil {
		select {
		case <-sent:
		case <-time.After(lastAttempt):
			// It may still read. Better no body at all than a mixed one.
			b.mu.Lock()
			b.ended = true
			b.mu.Unlock()
			return
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = false
	_, _ = b.reader.Seek(0, io.SeekStart)
}

// writing and written are the two ends of an attempt's use of the body.
func (b *replayedBody) writing() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = make(chan struct{})
}

func (b *replayedBody) written() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sent != nil {
		close(b.sent)
		b.sent = nil
	}
}

// Read copies under the lock, so that no reader is left with a part of the
// buffer itself. After Close there is an error until the next attempt begins:
// a transport that announces none gets no half body.
func (b *replayedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || b.closed {
		return 0, io.ErrClosedPipe
	}
	return b.reader.Read(p)
}

// Close ends an attempt.
func (b *replayedBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

// end gives the buffer back once the handlers have returned, unless a transport
// is still sending it to an upstream that answered before it had read all: then
// the buffer is left to the garbage collector. A reader that comes later all
// the same gets an error and never another sender's body.
func (b *replayedBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || b.lent && (b.sent != nil || !b.closed && b.reader.Len() > 0) {
		return
	}
	b.ended = true
	b.reader.Reset(nil)
	putBuffer(b.buffer)
	b.buffer = nil
}
