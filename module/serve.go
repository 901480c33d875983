package module

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/bodies"
	"github.com/hooklatch/hooklatch/module/replay"
	"github.com/hooklatch/hooklatch/schemes"
)

// ServeHTTP serves a new request, or a stored one that passes through the
// routes again.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if again := reentryOf(r); again != nil {
		return again.pass(h, w, r, next)
	}
	return h.serve(w, r, next)
}

// serve handles a new request. It rejects requests that are invalid by their
// headers, verifies the body while it arrives, checks the signed time and the
// history, and forwards the delivery.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) (err error) {
	d := &delivery{handler: h, next: next, request: r, began: h.now(), span: startSpan(r.Context())}
	defer func() { d.end(err) }()
	if h.Capture != nil {
		d.headers = r.Header.Clone()
	}
	_, d.sentStandard = r.Header[headerSignature]
	stripForged(r, h.headerOptions, h.readNames)
	h.history.acquire()
	defer h.history.release()

	if done, err := h.meetQuery(w, r, d); done {
		return err
	}
	if refused := h.verify(w, r, d); refused != nil {
		if h.meetUnsigned(w, r, d, refused) {
			return nil
		}
		return h.reject(w, r, d, refused)
	}
	if done, err := h.meetSigned(w, r, d); done {
		return err
	}
	history, err := h.history.get()
	if errors.Is(err, errConfigurationOver) {
		leaveConnection(w, r)
	}
	if err != nil {
		return h.reject(w, r, d, refuseFor(storeUnavailable, err.Error()))
	}
	d.inbox = h.history.kept
	d.immediate = atOnce(history)
	reservation, status, err := h.reserve(r.Context(), history, d)
	d.judged = h.now()
	h.storeRecorder.used(d.judged.Sub(d.now), err)
	switch {
	case err != nil:
		return h.reject(w, r, d, refuseFor(storeUnavailable, err.Error()))
	case status == replay.Duplicate:
		return h.answerDuplicate(w, r, d)
	case status == replay.InFlight:
		return h.reject(w, r, d, refuseFor(inFlight, "the same event, or one under the same occurrence ID, is being handled right now"))
	case status == replay.ContentConflict:
		return h.answerConflict(w, r, d)
	case status == replay.OccurrenceConflict && h.keyer.cuts:
		return h.reject(w, r, d, refuseFor(conflict, "this signed text has been delivered, with its parts cut in another way"))
	case status == replay.OccurrenceConflict:
		return h.reject(w, r, d, refuseFor(conflict, "other content has been delivered under this occurrence ID"))
	}
	if d.inbox != nil && d.inbox.always && h.keepFirst(w, r, d, reservation) {
		return nil
	}
	return h.forward(w, r, next, d, reservation)
}

// delivery holds the state of one request. The fields below verified can be
// trusted only once verified is true.
type delivery struct {
	handler *Handler
	next    caddyhttp.Handler
	request *http.Request
	began   time.Time

	status int    // sent to the sender, unless an error determines it
	taken  int    // the application's answer, if the sender gets another one
	kept   string // what the inbox did, as shown in the access log
	listed bool   // already among the recent deliveries
	hint   string // for the operator

	headers      http.Header // as received; only with capture
	sentStandard bool        // the sender wrote Webhook-Signature

	mapped  bool // the replacer asks this delivery for the placeholders
	verdict verdict
	reason  Reason
	body    bodies.Retryable
	// unjudged is a body that could not be read to its end, with observe.
	unjudged *bodies.TimeoutReader
	arrived  time.Time  // when the whole body had arrived
	size     int64      // of the body then
	copied   []byte     // a copy for the capture, if the buffer may be gone by then
	judged   time.Time  // when the history answered
	span     trace.Span // of the verification; nil without tracing, and once it has ended

	verified   bool
	tenant     string // with `tenants`: the one that the request names, if it has a file
	secret     int    // position of the one that matches, from 1
	facts      schemes.Event
	sentAt     time.Time // as judged and shown; zero if the scheme has none
	sentHeader bool      // the send time is from the headers
	now        time.Time // when it was judged
	event      replay.Event
	occurrence schemes.Unsigned
	unsigned   schemes.Unsigned
	idText     string // the signed ID, or that of event.Content once it is final

	inbox     *labelInbox // nil if there is none
	immediate bool        // the history answers at once
	attempt   int         // of a delivery from the inbox, from 1
	left      bool        // the sender is answered and the handlers still run

	again *inbox.Entry // set if an operator verifies or delivers it again; its sender was answered long ago

	handshake        *schemes.Reply // the reply, if the request is a handshake
	handshakeRefused error
}

// id returns the ID that the application gets in Webhook-Id.
func (d *delivery) id() string {
	if d.idText == "" {
		d.idText = d.event.Content.ID()
	}
	return d.idText
}

// receivedAt returns when the body first arrived.
func (d *delivery) receivedAt() time.Time {
	if d.again != nil {
		return d.again.ReceivedAt
	}
	return d.arrived
}

// end reports the outcome of the delivery and releases the body, unless
// handlers still need it. err is the error that the sender is answered with.
func (d *delivery) end(err error) {
	d.list(d.answeredWith(err), d.taken)
	if !d.left {
		d.body.End()
	}
	d.endSpan() // if nothing was judged
	d.handler.recorder.ended(result{d.verdict, d.reason})
	d.handler.events.emit(eventNames[d.verdict], d)
	if d.handler.state.ended(d) {
		d.handler.events.emit(eventDrift, d)
	}
}

// verify reads the body, verifies the signature and fills in the delivery. It
// returns the refusal of a request that does not pass, or nil.
func (h *Handler) verify(w http.ResponseWriter, r *http.Request, d *delivery) *refusal {
	if !h.takesMethod(r.Method) {
		refused := h.refuseMethod(w)
		refused.unread = true
		return refused
	}
	verifier, noTenant := h.verifierOf(r, d)
	verification, err := verifier.BeginShared(h.received(r), &d.body.Buffer)
	if err != nil {
		refused := refusalOf(err)
		refused.unread = true
		refused.lookalike = h.lookalike(d, refused.reason)
		return refused
	}
	defer verification.Close()
	claim := &verification.SignedHeaders
	if noTenant != nil && noTenant.reason == tenantUnavailable {
		noTenant.unread = true
		return noTenant
	}

	if refused := h.readBody(w, r, d, verification); refused != nil {
		return refused
	}
	d.body.Arrived()
	d.arrived, d.size = h.now(), d.body.Size()
	h.recorder.arrived(len(d.body.Buffer.Bytes()))
	event, err := verification.Verify()
	if event.Secret == 0 {
		refused := refusalOf(err)
		if noTenant != nil && refused.reason == schemes.SignatureMismatch {
			return noTenant
		}
		return h.explainURL(refused)
	}

	d.verified, d.secret = true, event.Secret
	if len(h.readNames) > 0 {
		h.headerOptions.removeOursBut(r.Header, h.stayNames)
	}
	d.facts = event
	if d.tenant != "" {
		d.facts.Tenant = d.tenant // whose secret it is, in place of what the body says
	}
	d.idText = d.facts.ID
	d.occurrence, d.unsigned = event.OccurrenceID, event.UnsignedType
	d.sentAt, d.sentHeader, d.now = event.SentAt, h.scheme.Time() == schemes.TimeInHeaders, event.JudgedAt
	// Only now: a forgery is not worth a second pass over its body.
	d.event = h.keyer.event(d.owner(), claim, d.facts.ID, verification.Content(), verification.Boundaries())
	d.event.Tenant = d.tenant
	if h.signedHandshake() {
		d.handshake, d.handshakeRefused = verification.Handshake()
	}
	if d.again != nil {
		d.now = d.again.ReceivedAt
		err = h.window.Judge(d.sentAt, d.now)
	}
	h.recorder.verified(d)
	if err != nil { // authentic, but not fresh
		return refusalOf(err)
	}
	return nil
}

// age returns the age of the signed time. It may be negative.
func (d *delivery) age() time.Duration { return d.now.Sub(d.sentAt) }

// reserve claims the event in the history. With `on_conflict forward`, a
// conflicting delivery is an event of its own, under a key that also covers the
// unsigned values. The exception is another cut of a delivered text: it is an
// OccurrenceConflict whatever the option says.
func (h *Handler) reserve(ctx context.Context, history replay.History, d *delivery) (replay.Reservation, replay.Status, error) {
	ctx, cancel := d.storeContext(ctx)
	defer cancel()
	reservation, status, err := history.Reserve(ctx, d.event)
	sameText := status == replay.ContentConflict && h.keyer.cuts
	if err != nil || h.onConflict != ConflictForward && !sameText {
		return reservation, status, err
	}
	own := d.event
	own.Content = h.keyer.variant(d.owner(), d.event.Content, d.event.Unsigned)
	if sameText {
		status, err = h.compareCut(ctx, history, own)
		own.Occurrence = replay.Key{} // the cut's entry belongs to the content
		if err != nil || h.onConflict != ConflictForward {
			return nil, status, err
		}
	}
	if status == replay.ContentConflict {
		d.event, d.idText = own, ""
		reservation, status, err = history.Reserve(ctx, d.event)
	}
	if err == nil && status == replay.OccurrenceConflict && h.keyer.unique {
		d.event.Occurrence = replay.Key{}
		reservation, status, err = history.Reserve(ctx, d.event)
	}
	if err == nil && status == replay.Reserved && d.event.Content != own.Content {
		// The content's own entry may have expired before the entry that
		// includes these unsigned values. The latter then decides.
		return h.unlessDelivered(ctx, history, own, reservation)
	}
	return reservation, status, err
}

// compareCut returns ContentConflict if the text was delivered with this cut,
// and OccurrenceConflict if it was delivered with another one. It tries to
// reserve the cut under another content: this conflicts if the cut was
// delivered, and succeeds if it was not.
func (h *Handler) compareCut(ctx context.Context, history replay.History, own replay.Event) (replay.Status, error) {
	tried, status, err := history.Reserve(ctx, own)
	switch {
	case err != nil:
		return 0, err
	case status == replay.Reserved:
		h.release(ctx, tried)
		return replay.OccurrenceConflict, nil
	case status == replay.InFlight:
		return status, nil
	}
	return replay.ContentConflict, nil // the cut was delivered, and perhaps the event too
}

// unlessDelivered keeps a reservation unless the content of an event, which it only
// tries, is taken.
func (h *Handler) unlessDelivered(ctx context.Context, history replay.History, other replay.Event, held replay.Reservation) (replay.Reservation, replay.Status, error) {
	tried, status, err := history.Reserve(ctx, replay.Event{Content: other.Content, Tenant: other.Tenant})
	if err == nil && status == replay.Reserved {
		h.release(ctx, tried)
		return held, replay.Reserved, nil
	}
	h.release(ctx, held)
	if status == replay.ContentConflict { // the key has the unsigned values in it
		status = replay.Duplicate
	}
	return nil, status, err
}

// received returns the request as its sender wrote it, because handlers before
// this one may have rewritten it. No other function decides which URL the
// provider has signed.
func (h *Handler) received(r *http.Request) schemes.Request {
	if !h.scheme.SignsRequest() {
		return schemes.Request{Header: r.Header}
	}
	sent := *originalRequest(r)
	sent.Header, sent.Host, sent.TLS = r.Header, r.Host, r.TLS
	return schemes.RequestOf(&sent, h.publicURL)
}

// originalRequest returns the request before any rewrite.
func originalRequest(r *http.Request) *http.Request {
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		return &original
	}
	return r
}

// explainURL adds to the detail of a mismatch that the URL may be wrong, for
// schemes that sign the URL.
func (h *Handler) explainURL(refused *refusal) *refusal {
	switch {
	case !h.scheme.SignsRequest() || refused.reason != schemes.SignatureMismatch:
	case h.PublicURL == "":
		refused.detail += "; the URL is signed too, and was taken from the request: behind a proxy that changes scheme, host or path, write public_url"
	default:
		refused.detail += "; the URL is signed too: compare the one that the provider has with public_url and, behind it, path and query of the request"
	}
	return refused
}
