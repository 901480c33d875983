package module

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/hooklatch/hooklatch/module/deliveries"
	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/internal/bodies"
	"github.com/hooklatch/hooklatch/module/replay"
)

// Why a captured delivery is not delivered again.
var (
	errNotAuthentic  = errors.New("the signature of this delivery was not verified; webhook rejudge verifies it again under the configuration of now")
	errBeingHandled  = errors.New("the event is being handled right now; try again")
	errWaitsInInbox  = errors.New("the event waits in the inbox; webhook inbox retry attempts it now")
	errConnectionCut = errors.New("the handlers after verify_webhook cut the connection")
)

// errAnsweredBefore is returned if a second verify_webhook comes after the
// first one and answers the request. Its answer, even a 200, is not the
// application's.
var errAnsweredBefore = errors.New("another verify_webhook after it answered, so the application did not get it")

// deliveringAgain holds the events that operators are delivering again at the
// moment. The history does not help here: an event that it has recorded is not
// reserved while it is delivered again.
var deliveringAgain sync.Map // of replay.Key

// deliverAgain passes an authentic delivery to the application once more,
// through the routes of its site, and returns the application's status. It does
// not verify the delivery again, and its sender is not involved: an operator
// has decided.
func deliverAgain(ctx context.Context, c deliveries.Capture) (status int, id string, err error) {
	kept, ok := c.Request.(*capturedRequest)
	if !ok || !kept.verified {
		return 0, "", errNotAuthentic
	}
	shared := historiesByLabel.active(c.Provider)
	if shared == nil || shared.scheme != c.Scheme {
		return 0, "", errNoHandler
	}
	if _, taken := deliveringAgain.LoadOrStore(kept.entry.Keys.Content, true); taken {
		return 0, "", errBeingHandled
	}
	defer deliveringAgain.Delete(kept.entry.Keys.Content)
	shared.acquire()
	defer shared.release()

	d := deliveryOf(&kept.entry)
	d.again, d.attempt = &kept.entry, 0
	d.hint = fmt.Sprintf("an operator delivered %d again", c.Number)
	defer d.body.End()
	limits := bodies.Limits{Declared: int64(len(c.Body)), Most: int64(len(c.Body)), Budget: shared.app.budget}
	if err := d.body.Buffer.ReadAll(bytes.NewReader(c.Body), limits, io.Discard); err != nil {
		return 0, "", err
	}
	d.body.Arrived()
	reservation, err := shared.reserveAgain(ctx, d)
	if err != nil {
		return 0, "", err
	}
	again := &reentry{
		label: c.Provider, scheme: c.Scheme, stored: kept.entry.Request, body: c.Body,
		arrive: func(h *Handler, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
			d.handler, d.next, d.request, d.began, d.size = h, next, r, h.now(), d.body.Size()
			stripForged(r, h.headerOptions, h.stayNames)
			status = d.handOver(w, r, reservation)
			return nil
		},
	}
	if err := shared.app.enter(ctx, again); err != nil {
		ctx, cancel := storeContext(ctx)
		defer cancel()
		return 0, "", errors.Join(err, reservation.Release(ctx))
	}
	if reason := again.answeredBefore(); reason != "" {
		return 0, "", fmt.Errorf("%w: %s", errAnsweredBefore, string(reason))
	}
	return status, d.id(), nil
}

// reserveAgain claims an event that is delivered again. An event that the
// history has recorded stays recorded, whatever the application answers this
// time.
func (s *sharedHistory) reserveAgain(ctx context.Context, d *delivery) (replay.Reservation, error) {
	ctx, cancel := storeContext(ctx)
	defer cancel()
	history, err := s.get()
	if err != nil {
		return nil, err
	}
	if d.inbox = s.kept; d.inbox != nil && d.inbox.judge(d.event) != replay.Reserved {
		return nil, errWaitsInInbox
	}
	reservation, status, err := history.Reserve(ctx, d.event)
	if err == nil && status == replay.OccurrenceConflict {
		// The content is new and must be recorded. The occurrence still belongs to
		// the content that was delivered under it.
		d.event.Occurrence = replay.Key{}
		reservation, status, err = history.Reserve(ctx, d.event)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("asking the history: %w", err)
	case status == replay.Reserved:
		return reservation, nil
	case status == replay.InFlight:
		return nil, errBeingHandled
	}
	return recorded{}, nil
}

// recorded is the reservation of an event that stays recorded in the history.
type recorded struct{}

// Deliver changes nothing.
func (recorded) Deliver(context.Context) error { return nil }

// Release changes nothing.
func (recorded) Release(context.Context) error { return nil }

// handOver passes a stored delivery to the handlers after its own and returns
// their status. If they do not take the delivery, it is not kept: the operator
// sees the status.
func (d *delivery) handOver(w http.ResponseWriter, r *http.Request, reservation replay.Reservation) int {
	h := d.handler
	h.recordVerdict(r, d, accepted, nil)
	h.setUpstreamHeaders(r.Header, d, make([]string, 0, maxHeaders))
	seen := &statusWriter{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	f := &forwarding{handler: h, delivery: d, reservation: reservation}
	f.begin(seen, r)
	err := f.run(d.next, f.lend(f.ctx, r))
	if errors.Is(err, errAborted) {
		err = caddyhttp.Error(http.StatusBadGateway, errConnectionCut)
	}
	err = f.conclude(seen, r, err)
	d.list(0, 0) // unless it is listed already, with the application's answer
	if seen.status != 0 {
		return seen.status
	}
	if status := statusOfError(err); err == nil || status < 200 || status > 299 {
		return status
	}
	return http.StatusInternalServerError // an error never counts as taken
}

// judgedAgain is the result of verifying a rejected delivery again.
type judgedAgain struct {
	delivered bool
	status    int    // the one that its sender would get now
	detail    string // why it was not delivered
}

// judgeAgain verifies a captured delivery again, under the configuration of the
// history, and delivers it if it is authentic. It judges the signed time by the
// time at which the delivery arrived.
func (s *sharedHistory) judgeAgain(ctx context.Context, c deliveries.Capture) (result judgedAgain, err error) {
	kept := c.Request.(*capturedRequest)
	again := &inbox.Entry{ReceivedAt: kept.entry.ReceivedAt}
	e := &reentry{
		label: c.Provider, scheme: s.scheme, stored: kept.entry.Request, body: c.Body,
		arrive: func(h *Handler, w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
			d := &delivery{handler: h, next: next, request: r, began: h.now(), again: again}
			d.hint = fmt.Sprintf("an operator had %d judged again", c.Number)
			result = h.judgeAgain(w, r, d)
			return nil
		},
	}
	err = s.app.enter(ctx, e)
	if reason := e.answeredBefore(); reason != "" {
		result.delivered, result.detail = false, errAnsweredBefore.Error()+": "+string(reason)
	}
	if result.delivered {
		recent.Settle(c.Number)
	}
	return result, err
}

// judgeAgain serves a stored request as serve does, except that it does not
// report a delivery that is rejected again.
func (h *Handler) judgeAgain(w http.ResponseWriter, r *http.Request, d *delivery) judgedAgain {
	if h.Capture != nil {
		d.headers = r.Header.Clone()
	}
	defer d.body.End()
	stripForged(r, h.headerOptions, h.readNames)
	h.history.acquire()
	defer h.history.release()
	refuse := func(refused *refusal) judgedAgain {
		return judgedAgain{status: statusFor(refused.reason), detail: refused.detail}
	}
	if refused := h.verify(w, r, d); refused != nil {
		return refuse(refused)
	}
	if d.handshake != nil || d.handshakeRefused != nil || !slices.Contains(h.Methods, r.Method) {
		return judgedAgain{status: http.StatusOK, detail: "it is a handshake, or comes with a method that only handshakes have"}
	}
	history, err := h.history.get()
	if err != nil {
		return refuse(refuseFor(storeUnavailable, err.Error()))
	}
	if h.wasDelivered(d) {
		return judgedAgain{status: http.StatusOK, detail: "it was delivered, which the history has forgotten meanwhile"}
	}
	d.inbox = h.history.kept
	reservation, status, err := h.reserve(r.Context(), history, d)
	switch {
	case err != nil:
		return refuse(refuseFor(storeUnavailable, err.Error()))
	case status == replay.InFlight:
		return refuse(refuseFor(inFlight, "the event is being handled right now"))
	case status != replay.Reserved:
		if status != replay.OccurrenceConflict {
			h.history.noteDelivered(d.event)
		}
		return judgedAgain{status: http.StatusOK, detail: "the history has it: " + status.String()}
	}
	answer := d.handOver(w, r, reservation)
	h.recorder.ended(result{d.verdict, d.reason})
	h.events.emit(eventNames[d.verdict], d)
	if answer >= 200 && answer <= 299 {
		return judgedAgain{delivered: true, status: answer}
	}
	return judgedAgain{status: answer, detail: fmt.Sprintf("the application answered %d", answer)}
}

// Interface guards
var _ replay.Reservation = recorded{}
