package module

import (
	"bytes"
	"io"
	"sync"
)

// replayedBody is a verified body on its way to the application. Closing it
// rewinds it, so that a proxy that tries another upstream after the first one
// broke sends the whole body again.
type replayedBody struct {
	mu     sync.Mutex // a transport may close while it still reads
	reader bytes.Reader
	buffer []byte
	lent   bool // it has been the body of a request
	idle   bool // nobody is in the middle of reading it
	ended  bool // nobody reads any more
}

func newReplayedBody(body []byte) *replayedBody {
	b := &replayedBody{buffer: body}
	b.reader.Reset(body)
	return b
}

// lend hands it out, from its beginning.
func (b *replayedBody) lend() io.ReadCloser {
	b.lent = true
	_ = b.Close()
	b.idle = false
	return b
}

// size is the length of the body in bytes.
func (b *replayedBody) size() int64 { return b.reader.Size() }

// Read copies under the lock, so that no reader is left with a part of the
// buffer itself.
func (b *replayedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, io.ErrClosedPipe
	}
	n, err := b.reader.Read(p)
	b.idle = b.reader.Len() == 0
	return n, err
}

// Close rewinds.
func (b *replayedBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.idle = true
	_, err := b.reader.Seek(0, io.SeekStart)
	return err
}

// end gives the buffer back once the handlers have returned, unless a transport
// is still sending it, as it may be to an upstream that answers before it has
// read all: then the buffer is left to the garbage collector. A reader that
// comes later all the same gets an error and never another sender's body.
func (b *replayedBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || b.lent && !b.idle {
		return
	}
	b.ended = true
	b.reader.Reset(nil)
	putBuffer(b.buffer)
	b.buffer = nil
}
