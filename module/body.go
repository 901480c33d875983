package module

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// firstRead is how many bytes of a body are made room for before any has
// arrived: a Content-Length is only a claim.
const firstRead = 16 << 10

// readBody reads the whole body within the limits and hands every piece to the
// sink while it is still in the processor's cache. The body is in a pooled
// buffer, which the caller gives back.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request, sink io.Writer) ([]byte, *refusal) {
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

	body, err := readAll(r.Body, r.ContentLength, h.MaxBody, sink)
	dropTrailers(r)
	if err == nil {
		_ = rc.SetReadDeadline(time.Time{})
		return body, nil
	}
	putBuffer(body)
	switch {
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

// readAll reads up to max bytes into a pooled buffer; declared is the length
// that the sender claims, or -1. The buffer is returned with errors too.
func readAll(from io.Reader, declared, max int64, sink io.Writer) ([]byte, error) {
	room := int64(firstRead)
	if declared >= 0 {
		room = min(room, declared)
	}
	body := getBuffer(int(room))
	for int64(len(body)) <= max {
		var err error
		if len(body) < cap(body) {
			var n int
			n, err = from.Read(body[len(body):cap(body)])
			_, _ = sink.Write(body[len(body) : len(body)+n]) // hashes do not fail
			body = body[:len(body)+n]
		} else {
			body, err = readOn(from, body, declared, max, sink)
		}
		if err == io.EOF { //nolint:errorlint // readers give exactly this
			err = nil
			if int64(len(body)) > max {
				err = errTooLarge
			}
			return body, err
		}
		if err != nil {
			return body, err
		}
	}
	return body, errTooLarge
}

// readOn goes on with a buffer that is full. A body that has arrived as it was
// declared ends here, in a buffer of exactly its size, so one byte is tried
// before there is room for more. A body that is longer than declared is still
// read: a handler in front of this one may have replaced it.
func readOn(from io.Reader, body []byte, declared, max int64, sink io.Writer) ([]byte, error) {
	var one [1]byte
	n, err := from.Read(one[:])
	if n == 0 {
		return body, err
	}
	room := min(4*int64(cap(body)), max+1)
	if declared > int64(len(body)) {
		room = min(room, declared)
	}
	grown := append(getBuffer(int(room)), body...)
	putBuffer(body)
	_, _ = sink.Write(one[:])
	return append(grown, one[0]), err
}
