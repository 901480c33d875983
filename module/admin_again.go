package module

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// rejudgePath, followed by a label, is the path under which POST verifies the
// captured rejected deliveries of the label again.
const rejudgePath = "/verify_webhook/rejudge/"

// deliver delivers a captured delivery again. It answers 200 with the
// application's status, 404 if the delivery is unknown, 409 if it is not
// captured, not authentic or being handled, 502 if it did not reach its
// handler, and 503 if it cannot be delivered at the moment.
func (a *adminAPI) deliver(w http.ResponseWriter, r *http.Request, number uint64) error {
	if err := onlyMethod(w, r, http.MethodPost); err != nil {
		return err
	}
	if _, err := filters(r); err != nil {
		return err
	}
	if _, ok := recent.Get(number); !ok {
		return noSuchDelivery
	}
	captured, ok := recent.Captured(number)
	if !ok {
		return apiError(http.StatusConflict, "headers and body of this delivery were not captured, or are erased")
	}
	ctx, cancel := operatorContext(r)
	defer cancel()
	status, id, err := deliverAgain(ctx, captured)
	if err != nil {
		return caddy.APIError{HTTPStatus: againStatus(err), Err: err}
	}
	a.logger.Info("an operator delivered a delivery again",
		zap.Uint64("number", number), zap.String("provider", captured.Provider), zap.String("id", id), zap.Int("status", status))
	return writeJSON(w, struct {
		Status int    `json:"status"`
		ID     string `json:"id"`
	}{status, id})
}

// againStatus returns the status for a delivery that cannot be delivered again.
func againStatus(err error) int {
	for _, refused := range []error{errNotAuthentic, errBeingHandled, errWaitsInInbox, errNoHandler, errAnsweredBefore} {
		if errors.Is(err, refused) {
			return http.StatusConflict
		}
	}
	for _, missed := range []error{errNotReached, errPanickedBy} {
		if errors.Is(err, missed) {
			return http.StatusBadGateway
		}
	}
	return http.StatusServiceUnavailable // the history, or no room for the body
}

// rejudging lets one operator rejudge at a time.
var rejudging = make(chan struct{}, 1)

// rejudge verifies the captured rejected deliveries of a label again, the
// oldest first, and delivers those that are now authentic. It stops at the
// first 503, because the next delivery would most likely get one too. That
// delivery comes last the next time, so that it does not block the others for
// ever.
func (a *adminAPI) rejudge(w http.ResponseWriter, r *http.Request) error {
	if err := onlyMethod(w, r, http.MethodPost); err != nil {
		return err
	}
	query, err := filters(r, "tenant")
	if err != nil {
		return err
	}
	parts, err := pathParts(strings.TrimPrefix(r.URL.EscapedPath(), rejudgePath))
	if err != nil || len(parts) != 1 {
		return apiError(http.StatusBadRequest, "the path is "+rejudgePath+"<provider>")
	}
	ctx, cancel := operatorContext(r)
	defer cancel()
	select {
	case rejudging <- struct{}{}:
		defer func() { <-rejudging }()
	case <-ctx.Done():
		return ctx.Err()
	}
	shared := historiesByLabel.active(parts[0])
	if shared == nil {
		return apiError(http.StatusNotFound, "no handler has this label")
	}
	shared.acquire()
	defer shared.release()
	var done rejudged
	for _, c := range recent.Rejected(parts[0], query.Get("tenant")) {
		if ctx.Err() != nil || done.Stopped != "" {
			break
		}
		if historiesByLabel.active(parts[0]) != shared { // the secrets of shared may have been withdrawn
			done.Stopped = "another configuration runs now"
			break
		}
		if _, kept := recent.Captured(c.Number); !kept {
			continue // erased meanwhile
		}
		if c.Reason == string(inFlight) || c.Reason == string(conflict) {
			continue // it was authentic: its event was being handled, or conflicted with a delivered one
		}
		result, err := shared.judgeAgain(ctx, c)
		if done.add(result, err); done.Stopped != "" {
			recent.Postpone(c.Number)
		}
		a.logger.Info("a rejected delivery was judged again", zap.Uint64("number", c.Number), zap.String("provider", c.Provider),
			zap.Bool("delivered", result.delivered), zap.String("detail", result.detail), zap.Error(err))
	}
	return writeJSON(w, done)
}

// rejudged is the result of judging deliveries again.
type rejudged struct {
	Judged    int    `json:"judged"`
	Delivered int    `json:"delivered"`
	Stopped   string `json:"stopped,omitempty"` // why the rest was not judged
}

// add counts one result. A delivery that did not reach its handler was not
// judged.
func (done *rejudged) add(result judgedAgain, err error) {
	if err != nil {
		return
	}
	done.Judged++
	if result.delivered {
		done.Delivered++
	}
	if result.status == http.StatusServiceUnavailable {
		done.Stopped = result.detail
	}
}

// operatorContext returns the context for an operator's request. It ends when
// the operator goes away, and has no values of the admin endpoint.
func operatorContext(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(r.Context(), cancel)
	return ctx, func() { stop(); cancel() }
}
