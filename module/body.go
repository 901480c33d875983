package module

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// firstRead is how many bytes of a body are made room for before any has
// arrived: a Content-Length is only a claim.
const firstRead = 16 << 10

// readBody reads the whole body within the limits and hands every piece to the
// sinks while it is still in the processor's cache.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request, sinks ...io.Writer) ([]byte, *refusal) {
	if r.ContentLength > h.MaxBody {
		refused := tooLarge()
		refused.unread = true
		return nil, refused
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(time.Duration(h.BodyTimeout)))

	body, err := readAll(r.Body, r.ContentLength, h.MaxBody, sinks)
	dropTrailers(r)
	switch {
	case err == nil:
		_ = rc.SetReadDeadline(time.Time{})
		return body, nil
	case errors.Is(err, errTooLarge):
		refused := tooLarge()
		refused.unread = true
		return nil, refused
	case isTooLarge(err):
		return nil, tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		// The deadline stays: it also bounds what the server reads after us.
		closeConnection(w, r)
		return nil, refuseFor(bodyTimeout, "the body did not arrive in time")
	default:
		closeConnection(w, r)
		return nil, refuseFor(bodyIncomplete, "the body ended before its end")
	}
}

func tooLarge() *refusal { return refuseFor(bodyTooLarge, "the body is larger than max_body allows") }

var errTooLarge = errors.New("body too large")

// isTooLarge recognises the limit of a handler in front of this one.
func isTooLarge(err error) bool {
	var limit *http.MaxBytesError
	var status caddyhttp.HandlerError
	return errors.As(err, &limit) ||
		errors.As(err, &status) && status.StatusCode == http.StatusRequestEntityTooLarge
}

// readAll reads up to max bytes; declared is the length that the sender
// claims, or -1.
func readAll(from io.Reader, declared, max int64, sinks []io.Writer) ([]byte, error) {
	// One byte more than declared, so that the end is seen without growing.
	room := int64(firstRead)
	if declared >= 0 {
		room = min(room, declared+1)
	}
	body := make([]byte, 0, room)
	for {
		if len(body) == cap(body) {
			body = grow(body, declared, max)
		}
		n, err := from.Read(body[len(body):cap(body)])
		piece := body[len(body) : len(body)+n]
		body = body[:len(body)+n]
		if int64(len(body)) > max {
			return nil, errTooLarge
		}
		for _, sink := range sinks {
			_, _ = sink.Write(piece) // hashes do not fail
		}
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// grow doubles the room, but not beyond what is declared or allowed. A body
// that is longer than declared is still read: a handler in front of this one
// may have replaced it.
func grow(body []byte, declared, max int64) []byte {
	limit := max
	if declared >= int64(len(body)) {
		limit = min(limit, declared)
	}
	grown := make([]byte, len(body), min(2*int64(cap(body)), limit+1))
	copy(grown, body)
	return grown
}

// replayedBody is a verified body on its way to the application. Closing it
// rewinds it, so that a proxy that tries another upstream after the first one
// broke sends the whole body again.
type replayedBody struct {
	mu     sync.Mutex // a transport may close while it still reads
	reader bytes.Reader
}

func newReplayedBody(body []byte) *replayedBody {
	b := new(replayedBody)
	b.reader.Reset(body)
	return b
}

func (b *replayedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reader.Read(p)
}

func (b *replayedBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.reader.Seek(0, io.SeekStart)
	return err
}
