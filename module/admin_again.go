package module

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// rejudgePath is where POST, with a label after it, has the captured rejected
// deliveries of the label verified again.
const rejudgePath = "/verify_webhook/rejudge/"

// deliver delivers a captured delivery again: 200 with the application's status,
// 404 unknown, 409 not captured, not authentic or being handled, 502 it did not
// come to its handler, 503 not now.
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

// againStatus is the answer to what cannot be delivered again.
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

// rejudging has room for one operator at a time.
var rejudging = make(chan struct{}, 1)

// rejudge verifies the captured rejected deliveries of a label again, the oldest
// first, and delivers those that are authentic now. It stops at a 503, after which
// the next one would most likely fare no better. The one that it stopped at comes
// last the next time, so that it does not keep the others back for ever.
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
		if historiesByLabel.active(parts[0]) != shared { // its secrets may have been withdrawn
			done.Stopped = "another configuration runs now"
			break
		}
		if _, kept := recent.Captured(c.Number); !kept {
			continue // it was erased meanwhile
		}
		if c.Reason == string(inFlight) || c.Reason == string(conflict) {
			continue // it was authentic: another one of its event was handled then
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

// rejudged is what became of those that were judged again.
type rejudged struct {
	Judged    int    `json:"judged"`
	Delivered int    `json:"delivered"`
	Stopped   string `json:"stopped,omitempty"` // why the rest was left
}

// add counts one. What did not come to its handler was not judged.
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

// operatorContext is the context of what an operator asks for. It ends when the
// operator goes away, and has no values of the admin endpoint.
func operatorContext(r *http.Request) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(r.Context(), cancel)
	return ctx, func() { stop(); cancel() }
}
