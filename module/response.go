package module

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// answer is the response writer of the handlers after this one. It sees the
// status before the sender does, and accepts nothing once the time for an
// answer is over.
//
// If a delivery can be kept, the handlers may keep running after its sender has
// been answered. The answer then has headers of its own, and a gate that is
// held while a decision is made about who is answered.
type answer struct {
	caddyhttp.ResponseWriterWrapper
	state   atomic.Int32
	outcome outcome

	gate sync.Locker // nil without an inbox, like own
	own  http.Header // used until there is a status
}

// outcome receives the status of an answer, once.
type outcome interface {
	settle(status int) int32 // before the status goes out; returns the state of the answer
	answered(status int)     // after the status has gone out
}

// The states of an answer. It changes once, from waiting to one of the others.
const (
	waiting int32 = iota
	endAnswered
	endExpired
	endCancelled // by the proxy, before the application answered
	endUnsound   // a handler could not have the whole body
	endUnanswered
)

func (a *answer) begin(w http.ResponseWriter, o outcome) {
	a.ResponseWriter, a.outcome = w, o
}

// detach gives the answer headers of its own and the lock that guards the
// decision.
func (a *answer) detach(gate sync.Locker, header http.Header) {
	a.gate, a.own = gate, header
}

// pass locks the gate, if there is one, and returns the function that unlocks
// it.
func (a *answer) pass() (leave func()) {
	if a.gate == nil {
		return func() {}
	}
	a.gate.Lock()
	return a.gate.Unlock
}

// expire ends the time for an answer. It reports false if the answer has begun
// or ended before.
func (a *answer) expire() bool { return a.state.CompareAndSwap(waiting, endExpired) }

// end returns the final state of the answer, once the handlers have returned.
func (a *answer) end() int32 {
	defer a.pass()()
	a.state.CompareAndSwap(waiting, endUnanswered)
	return a.state.Load()
}

// Header returns the headers of the answer.
func (a *answer) Header() http.Header {
	if a.own != nil && !a.isAnswered() {
		return a.own
	}
	return a.ResponseWriter.Header()
}

// Unwrap returns the response writer of the sender, unless it may belong to the
// next request of its connection while the handlers still run.
func (a *answer) Unwrap() http.ResponseWriter {
	if a.own != nil {
		return nil
	}
	return a.ResponseWriter
}

func (a *answer) isAnswered() bool { return a.state.Load() == endAnswered }

// isBodiless reports whether an answer ends with its headers.
func (a *answer) isBodiless(status int) bool {
	length := a.Header()["Content-Length"]
	return status == http.StatusNoContent || len(length) == 1 && length[0] == "0"
}

// WriteHeader settles the delivery with the first final status.
func (a *answer) WriteHeader(status int) {
	if status < 100 || status > 999 {
		// As net/http does, but before the delivery counts as answered.
		panic(fmt.Sprintf("invalid WriteHeader code %d", status))
	}
	defer a.pass()()
	if isInformational(status) {
		if a.state.Load() == waiting {
			a.inform(status)
		}
		return
	}
	if !a.state.CompareAndSwap(waiting, endAnswered) {
		return
	}
	if state := a.outcome.settle(status); state != endAnswered {
		a.state.Store(state)
		return
	}
	if a.own != nil {
		replaceHeaders(a.ResponseWriter.Header(), a.own)
	}
	a.ResponseWriter.WriteHeader(status)
	a.outcome.answered(status)
}

// inform writes an informational response with its headers.
func (a *answer) inform(status int) {
	if a.own != nil {
		before := maps.Clone(a.ResponseWriter.Header())
		defer replaceHeaders(a.ResponseWriter.Header(), before)
		replaceHeaders(a.ResponseWriter.Header(), a.own)
	}
	a.ResponseWriter.WriteHeader(status)
}

func replaceHeaders(header, by http.Header) {
	clear(header)
	maps.Copy(header, by)
}

// isInformational reports whether a response comes before the answer. 101 is an
// answer itself, because it ends HTTP on the connection.
func isInformational(status int) bool {
	return status >= 100 && status <= 199 && status != http.StatusSwitchingProtocols
}

// ok answers 200 if there is no answer yet, as net/http does.
func (a *answer) ok() error {
	if a.state.Load() == waiting {
		a.WriteHeader(http.StatusOK)
	}
	if !a.isAnswered() {
		return http.ErrHandlerTimeout
	}
	return nil
}

// Write writes the body of the answer.
func (a *answer) Write(p []byte) (int, error) {
	if err := a.ok(); err != nil {
		return 0, err
	}
	return a.ResponseWriter.Write(p)
}

// ReadFrom lets the connection read the body of the answer by itself.
func (a *answer) ReadFrom(from io.Reader) (int64, error) {
	if err := a.ok(); err != nil {
		return 0, err
	}
	return a.ResponseWriterWrapper.ReadFrom(from)
}

// FlushError flushes the answer. Without it, http.ResponseController would
// write the status and flush without this type noticing.
func (a *answer) FlushError() error {
	if err := a.ok(); err != nil {
		return err
	}
	return http.NewResponseController(a.ResponseWriter).Flush()
}

// Hijack always fails, because a delivery never becomes a tunnel.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}
