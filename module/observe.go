package module

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module/internal/bodies"
)

// observed is how metrics call a verdict that was reported and not enforced.
const observed = "observed_"

// passedOn reports whether the verdict was not enforced.
func (d *delivery) passedOn() bool { return d.handler.Observe && d.verdict != accepted }

// passOn is what `observe` does instead of refusing: the application gets the
// request as it came, and is told the verdict. Only a duplicate, which is
// verified, carries more than that, and never a new signature.
func (h *Handler) passOn(w http.ResponseWriter, r *http.Request, d *delivery, v verdict, refused *refusal) error {
	h.recordVerdict(r, d, v, refused)
	if v == duplicateBefore {
		h.setUpstreamHeaders(r.Header, d, make([]string, 0, maxHeaders))
	} else {
		h.headerOptions.removeOurs(r.Header)
		r.Header[headerVerdict] = []string{string(v) + "; reason=" + string(refused.reason)}
		r.Header[headerProvider] = []string{h.Provider}
	}
	seen := &statusWriter{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	w = seen
	defer func() { d.status = seen.answered() }()
	switch {
	case !d.arrived.IsZero():
		// A reader that cannot have the whole body ends the handlers: with an
		// error alone, Caddy's proxy would try again and mix its buffers.
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		r = requestWith(d.body.Lend(ctx, proxiesOf(r), cancel), r, &d.body)
		return d.body.Serve(func() error { return d.next.ServeHTTP(w, r) })
	case d.unjudged != nil:
		body := bodies.NewPrefixed(&d.body.Buffer, d.unjudged, r.Body)
		defer body.End()
		if r.Context().Err() != nil {
			// The sender's going away has ended it, and the application is to
			// see how far the sender came.
			r = r.WithContext(context.WithoutCancel(r.Context()))
		}
		return d.next.ServeHTTP(w, withoutTrailers(r, body))
	}
	return d.next.ServeHTTP(w, withoutTrailers(r, r.Body)) // nothing has been read
}

// withoutTrailers gives the request a body whose trailers, which nobody signs,
// go no further: the server writes them into the request that it made.
func withoutTrailers(r *http.Request, body io.ReadCloser) *http.Request {
	r = r.WithContext(r.Context())
	r.Body, r.Trailer = body, nil
	return r
}

// overhear reads a body as readBody does, but so that whoever is next can go on
// where it stops.
func (h *Handler) overhear(r *http.Request, d *delivery, sink io.Writer) *refusal {
	d.unjudged = bodies.NewTimeoutReader(r.Body)
	defer d.unjudged.ClearTimeout()
	d.unjudged.SetTimeout(time.Duration(h.BodyTimeout))
	if err := d.body.Buffer.ReadAll(d.unjudged, h.limits(r), sink); err != nil {
		return bodyRefusal(err)
	}
	dropTrailers(r)
	d.unjudged = nil
	return nil
}
