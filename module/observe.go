package module

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module/internal/bodies"
)

// observed is the prefix of a verdict in metrics that was reported and not
// enforced.
const observed = "observed_"

// passedOn reports whether the verdict was not enforced.
func (d *delivery) passedOn() bool { return d.handler.Observe && d.verdict != accepted }

// passOn forwards a request that would be rejected, with `observe`. The
// application gets the request as it arrived, with the verdict in a header. A
// duplicate is verified and so gets all headers, but never a new signature.
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
		// A reader that cannot have the whole body cancels the handlers. With
		// an error alone, Caddy's proxy would try again and mix its buffers.
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		r = requestWith(d.body.Lend(ctx, proxiesOf(r), cancel), r, &d.body)
		return d.body.Serve(func() error { return d.next.ServeHTTP(w, r) })
	case d.unjudged != nil:
		body := bodies.NewPrefixed(&d.body.Buffer, d.unjudged, r.Body)
		defer body.End()
		if r.Context().Err() != nil {
			// The context ended because the sender went away. The application
			// should still see the part of the body that was sent.
			r = r.WithContext(context.WithoutCancel(r.Context()))
		}
		return d.next.ServeHTTP(w, withoutTrailers(r, body))
	}
	return d.next.ServeHTTP(w, withoutTrailers(r, r.Body)) // nothing has been read
}

// withoutTrailers returns a copy of the request with a body and without
// trailers, which are not signed. The server writes the trailers into its own
// request and not into the copy.
func withoutTrailers(r *http.Request, body io.ReadCloser) *http.Request {
	r = r.WithContext(r.Context())
	r.Body, r.Trailer = body, nil
	return r
}

// overhear reads a body as readBody does. If it cannot read the whole body, the
// next reader continues where it stopped.
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
