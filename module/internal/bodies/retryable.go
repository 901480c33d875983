package bodies

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Retryable is a verified body on its way to the application. Handlers may
// read it one after the other, and a proxy may send it to several upstreams:
// each reader gets all of it, from the first byte.
//
// All readers share this one value, and a Read does not say who calls it. So
// the body keeps track of the reading that is under way, and of where it ends:
// at the end of the body, when it is closed, when the transport has written the
// request, or when the proxy that read it has returned. A Read after that comes
// from a new reader and begins at the first byte.
//
// A transport of net/http or quic-go announces its attempts through its trace
// and reads in a goroutine of its own. It may go on reading after RoundTrip has
// returned, if the upstream answered early. The next reader waits for it.
// Everything else reads without an announcement: the FastCGI transport, a
// placeholder, or a proxy with request_buffers, which holds the beginning of
// the body itself and lets the transport read the rest.
//
// A reader that cannot have the whole body gets an error, and the body has a
// fault from then on: no answer to it counts as a delivery.
type Retryable struct {
	// Buffer holds the body. The caller fills it and then calls Arrived.
	Buffer Buffer

	mu      sync.Mutex
	reader  bytes.Reader
	trace   httptrace.ClientTrace
	ctx     context.Context // of the handlers that read it
	stop    func()          // cancels ctx; may be nil
	proxied func() any      // a value that changes when a proxy returns
	fault   string          // why no answer counts; empty while the body is sound

	reading reading
	sending chan struct{} // closed when the announced attempt has been written; nil while none is being written
	unheard bool          // an attempt was given up before it wrote, and may still call writing or wrote

	ended     bool // the buffer is given back
	leaving   bool // the handlers have returned, and a transport still reads
	abandoned runtime.Cleanup
}

// reading is one pass over the body, by one reader.
type reading struct {
	began     any   // what proxied returned when it began
	over      bool  // the next Read begins a new reading
	atEnd     bool  // the reader has seen the end of the body
	read      bool  // something has been read, or the end has been seen
	announced bool  // by a transport, which reads in its own goroutine
	written   bool  // the transport has written the headers, after which it reads
	answered  bool  // the upstream has begun to answer
	ahead     int64 // bytes that a handler read before the transport did
	dialed    bool  // a transport that announces nothing has dialed
	readSince bool  // something has been read since the transport began
	closed    bool
	suspect   string // the fault if nothing more is read: a later reader seems to have found an empty body
}

// lastAttempt is how long a reader waits for the previous attempt. The
// connection of that attempt is closed by then, so it ends at its next write.
const lastAttempt = time.Second

// errInUse is returned to a reader that cannot have the whole body.
var errInUse = errors.New("the body of the delivery cannot be read from its beginning by this handler")

// The faults of a body, as shown to an operator. Each says what to change.
const (
	faultOverlap = "a handler read the body while an upstream that had already answered was still reading it; let that upstream read the whole body before it answers, or put the second reader before the first"
	faultPrefix  = "a proxy that buffers only the beginning of a body (request_buffers) tried another upstream; raise request_buffers above max_body, or do not retry POST"
	faultDialed  = "a proxy that cannot send a body again (FastCGI) tried another upstream; do not retry POST there"
	faultLate    = "an upstream closed a kept connection when the delivery was about to be sent on it, so that two attempts could not be told apart; let the proxy's keepalive end before the upstream's"
	faultHollow  = "request_body max_size stands between two handlers that read the body, so that the second one got nothing; put request_body before verify_webhook, or use max_body instead"
)

// Arrived prepares the body for its readers, once all of it is in the buffer.
func (b *Retryable) Arrived() { b.reader.Reset(b.Buffer.Bytes()) }

// Size returns the length of the body in bytes.
func (b *Retryable) Size() int64 { return b.reader.Size() }

// Copy returns a copy of the body, or nil once it is gone.
func (b *Retryable) Copy() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return nil
	}
	return bytes.Clone(b.Buffer.Bytes())
}

// Lend prepares the body for the handlers that run in the returned context.
// proxied returns a value that changes whenever a proxy among them returns.
// stop cancels the context; it may be nil.
func (b *Retryable) Lend(ctx context.Context, proxied func() any, stop func()) context.Context {
	b.ctx, b.proxied, b.stop = ctx, proxied, stop
	b.reading.began = proxied()
	b.trace = httptrace.ClientTrace{
		// A dial to a host name may connect in goroutines of its own, but looks
		// the name up in the caller's. GetConn is not used, because HTTP/2 calls
		// it with its connection pool locked.
		DNSStart:             func(httptrace.DNSStartInfo) { b.dialing() },
		ConnectStart:         func(string, string) { b.dialing() },
		GotConn:              func(httptrace.GotConnInfo) { b.attempt() },
		WroteHeaders:         b.writing,
		WroteRequest:         func(httptrace.WroteRequestInfo) { b.wrote() },
		GotFirstResponseByte: b.answering,
	}
	return httptrace.WithClientTrace(ctx, &b.trace)
}

// Serve calls the handlers that the body is lent to. A Read below Serve on the
// same goroutine is a handler's own and never an announced transport's.
//
//go:noinline
func (b *Retryable) Serve(handlers func() error) error { return handlers() }

// Callers that onStack looks for.
const (
	inHandlers       = "/bodies.(*Retryable).Serve"
	inMaxBytesReader = "net/http.(*maxBytesReader).Close"
)

// onStack reports whether a function is among the callers. It takes
// microseconds, so it is called only where nothing else answers the question.
func onStack(function string) bool {
	var callers [128]uintptr
	for skip := 2; ; skip += len(callers) { // many routes make a deep stack
		n := runtime.Callers(skip, callers[:])
		for frames, more := runtime.CallersFrames(callers[:n]), n > 0; more; {
			var frame runtime.Frame
			frame, more = frames.Next()
			if strings.HasSuffix(frame.Function, function) {
				return true
			}
		}
		if n < len(callers) {
			return false
		}
	}
}

// Read reads the body, each reader from the first byte. It copies under the
// lock, so that no reader keeps a reference to the buffer.
func (b *Retryable) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, io.ErrClosedPipe
	}
	if !b.enter() {
		return 0, errInUse
	}
	n, err := b.reader.Read(p)
	b.reading.read, b.reading.readSince, b.reading.suspect = true, true, ""
	if err != nil { // the end
		b.reading.atEnd, b.reading.over = true, true
	}
	return n, err
}

// enter determines which reader calls Read, and begins a reading for a new one.
// It reports false if that reader cannot have the whole body.
func (b *Retryable) enter() bool {
	switch {
	case b.fault != "":
		return false
	case b.leaving:
		return true // the transport that still reads; no handler does
	case b.reading.over:
		// A transport does not read beyond the end.
	case !b.reading.announced:
		if !b.returned() {
			return true
		}
	case !b.reading.written:
		// This is not the transport, which reads only after writing the headers:
		// its connection turned out to be closed, and it has given up.
	case !b.reading.answered && !b.returned(), !onStack(inHandlers):
		return true
	}
	return b.restart()
}

// returned reports whether the proxy that was reading has returned, so that
// whatever reads now is another reader.
func (b *Retryable) returned() bool { return b.proxied() != b.reading.began }

// restart begins a reading at the first byte. It reports false if a transport
// does not end the previous reading.
func (b *Retryable) restart() bool {
	if !b.sent() {
		b.fail(faultOverlap)
		return false
	}
	if b.ended || b.fault != "" {
		return false
	}
	b.reading = reading{began: b.proxied()}
	_, _ = b.reader.Seek(0, io.SeekStart)
	return true
}

// sent waits until no announced attempt is being written. It reports false if
// it gave up waiting. It releases the lock while it waits.
func (b *Retryable) sent() bool {
	for b.sending != nil && !b.ended {
		sending := b.sending
		b.mu.Unlock()
		over := wait(b.ctx, sending)
		b.mu.Lock()
		if !over {
			return false
		}
	}
	return true
}

// wait waits for an attempt to end, and reports whether it has.
func wait(ctx context.Context, sent <-chan struct{}) bool {
	timer := time.NewTimer(lastAttempt)
	defer timer.Stop()
	select {
	case <-sent:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// fail sets the fault of the body. No answer counts from then on, so it cancels
// the handlers: a transport could otherwise send the part of the body that a
// proxy holds.
func (b *Retryable) fail(fault string) {
	if b.fault != "" {
		return
	}
	b.fault = fault
	if b.stop != nil {
		b.stop()
	}
}

// dialing is called for each new connection. For a transport that does not
// announce its attempts, such as FastCGI's, a second connection is a second
// attempt. That attempt cannot have the bytes that the proxy has already read
// from its copy of the beginning.
//
// A transport that announces its attempts dials in the background, and its dial
// may be late: the attempt has then used another connection that became free,
// and the next reader has begun. So only a dial by a handler itself counts.
func (b *Retryable) dialing() {
	if !onStack(inHandlers) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := &b.reading
	if b.ended || b.fault != "" || b.leaving || now.announced || b.returned() {
		return
	}
	switch {
	case now.dialed && now.readSince && now.atEnd:
		now.suspect = faultDialed
	case now.dialed && now.readSince:
		b.fail(faultDialed)
	default:
		now.dialed, now.readSince = true, false
	}
}

// attempt is called when an announced attempt begins.
func (b *Retryable) attempt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	// The upstream may have all of the body before the transport has seen its end.
	if !b.leaving && !b.sent() {
		b.fail(faultOverlap)
	}
	if b.ended || b.fault != "" || b.leaving {
		return
	}
	now := &b.reading
	b.unheard = b.unheard || now.announced && !now.written && !now.over
	holds := !now.over && !b.returned() // the proxy that announces it holds the beginning
	switch position := b.reader.Size() - int64(b.reader.Len()); {
	case holds && !now.announced && now.dialed && now.readSince:
		b.fail(faultDialed) // the beginning and more
	case holds && !now.announced && position > 0:
		now.announced, now.ahead, now.dialed, now.readSince = true, position, false, false
	case holds && now.announced && now.ahead > 0 && !now.written:
		// The previous connection was not used.
	case holds && now.announced && now.ahead > 0, b.reading.ahead > 0 && !b.reading.atEnd && !b.returned():
		b.fail(faultPrefix)
	default:
		suspect := now.suspect
		if b.restart() {
			b.reading.announced, b.reading.suspect = true, suspect
		}
	}
}

// writing and wrote are called when an announced attempt begins and ends to
// write the body. They cannot tell which attempt that is: the goroutine that
// writes to a connection may call them after its attempt was given up and the
// next one has begun.
func (b *Retryable) writing() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading.written = true
	if b.sending == nil {
		b.sending = make(chan struct{})
	}
}

func (b *Retryable) wrote() {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch now := &b.reading; {
	case !now.announced:
	case !now.readSince:
		now.written = false // the connection was not used
	case b.unheard && !now.over:
		b.fail(faultLate)
	default:
		now.over = true
	}
	if b.sending != nil {
		close(b.sending)
		b.sending = nil
	}
	b.left()
}

// answering is called at the first byte of an upstream's answer.
func (b *Retryable) answering() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading.answered = true
}

// Close ends a reading that was not announced. A transport that announces its
// attempts may close late, in the middle of the next reading.
func (b *Retryable) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := &b.reading
	if now.over && (now.closed || now.dialed || b.returned()) && onStack(inMaxBytesReader) && onStack(inHandlers) {
		now.suspect = faultHollow
	}
	switch {
	case now.announced:
	case !now.over && b.reader.Len() < int(b.reader.Size()) && !b.leaving && !onStack(inHandlers):
		return nil // late
	default:
		now.over = true
		b.left()
	}
	now.closed = true
	return nil
}

// Fault returns why no answer counts as a delivery, or "" if the body is sound.
func (b *Retryable) Fault() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault == "" && b.sending == nil {
		return b.reading.suspect
	}
	return b.fault
}

// Unanswered reports whether an announced attempt got no answer from its
// upstream. A status then comes from the proxy itself.
func (b *Retryable) Unanswered() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reading.announced && !b.reading.answered
}

// End gives the buffer back. It is called once the handlers have returned. If a
// transport is still sending the body to an upstream that answered early, the
// buffer is given back when the transport is done. If the transport never
// reports that, the buffer counts until the garbage collector frees it. A later
// reader gets an error, never another sender's body.
func (b *Retryable) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended || b.leaving {
		return
	}
	// A transport reads only after writing the headers, and may never report
	// that it gave up before that. A proxy that has returned no longer reads
	// the body itself: it may have buffered it and found no upstream.
	now := &b.reading
	begun := now.read && !b.returned()
	if now.announced {
		begun = now.written
	}
	if begun && (!now.over || b.sending != nil) && b.Buffer.pooled != nil {
		b.leaving = true
		b.abandoned = runtime.AddCleanup(b.Buffer.pooled, func(held quota) { held.giveBack() }, b.Buffer.quota)
		return
	}
	b.giveBack()
}

// left gives the buffer back once the transport is done, if the handlers
// returned before that.
func (b *Retryable) left() {
	if b.leaving && b.reading.over && b.sending == nil {
		b.leaving = false
		b.abandoned.Stop()
		b.giveBack()
	}
}

func (b *Retryable) giveBack() {
	b.ended = true
	b.reader.Reset(nil)
	b.Buffer.GiveBack()
}
