package module

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module/internal/bodies"
)

// readBody reads the whole body within the limits and writes each piece to the
// sink while it is still in the processor's cache. If it refuses the body, it
// has already released the buffer, except with observe.
func (h *Handler) readBody(w http.ResponseWriter, r *http.Request, d *delivery, sink io.Writer) *refusal {
	if r.ContentLength > h.MaxBody {
		refused := tooLarge()
		refused.unread = true
		return refused
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if h.Observe {
		return h.overhear(r, d, sink)
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(time.Duration(h.BodyTimeout)))

	err := d.body.Buffer.ReadAll(r.Body, h.limits(r), sink)
	dropTrailers(r)
	if err == nil {
		_ = rc.SetReadDeadline(time.Time{})
		return nil
	}
	d.body.Buffer.GiveBack()
	refused := bodyRefusal(err)
	if refused.reason == bodyTimeout || refused.reason == bodyIncomplete {
		// The deadline stays: it also limits what the server reads after this handler.
		closeConnection(w, r)
	}
	return refused
}

// limits returns the limits of the body of a request.
func (h *Handler) limits(r *http.Request) bodies.Limits {
	return bodies.Limits{Declared: r.ContentLength, Most: h.MaxBody, Budget: h.budget}
}

// bodyRefusal returns the refusal for an error of reading a body.
func bodyRefusal(err error) *refusal {
	var refused *refusal
	switch {
	case errors.Is(err, bodies.ErrTooLarge):
		refused = tooLarge()
		refused.unread, refused.asked = true, true
	case errors.Is(err, bodies.ErrOverloaded):
		refused = refuseFor(overloaded, "bodies take all the memory that max_buffered allows")
		refused.unread, refused.asked = true, true
	case isTooLarge(err):
		refused = tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		refused = refuseFor(bodyTimeout, "the body did not arrive in time")
	default:
		refused = refuseFor(bodyIncomplete, "the body ended before its end")
	}
	return refused
}

func tooLarge() *refusal { return refuseFor(bodyTooLarge, "the body is larger than max_body allows") }

// isTooLarge reports whether an error is the body limit of a handler before
// this one.
func isTooLarge(err error) bool {
	var limit *http.MaxBytesError
	var status caddyhttp.HandlerError
	return errors.As(err, &limit) ||
		errors.As(err, &status) && status.StatusCode == http.StatusRequestEntityTooLarge
}
