package module

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/deliveries"
)

// deliveriesPath is the path of the recent deliveries: GET lists them,
// …/<number> is one of them, POST …/<number>/deliver delivers it again, and
// …/follow shows deliveries as they arrive.
const deliveriesPath = "/verify_webhook/deliveries"

// headerRecent is set to off if the list is empty because it is switched off.
const headerRecent = "Webhook-Recent"

// deliveries answers requests at and below deliveriesPath.
func (a *adminAPI) deliveries(w http.ResponseWriter, r *http.Request) error {
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, deliveriesPath), "/")
	switch path {
	case "":
		return a.allDeliveries(w, r)
	case "follow":
		return a.follow(w, r)
	}
	text, action, hasAction := strings.Cut(path, "/")
	number, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil || hasAction && action != "deliver":
		return apiError(http.StatusNotFound, "the paths are "+deliveriesPath+"/<number>, …/<number>/deliver and …/follow")
	case hasAction:
		return a.deliver(w, r, number)
	}
	return a.oneDelivery(w, r, number)
}

func (a *adminAPI) allDeliveries(w http.ResponseWriter, r *http.Request) error {
	if err := allowOnly(w, r, http.MethodGet, http.MethodDelete); err != nil {
		return err
	}
	if r.Method == http.MethodDelete {
		return a.eraseAll(w, r)
	}
	filter, err := filterOf(r)
	if err != nil {
		return err
	}
	return writeJSON(w, recent.Select(filter))
}

func (a *adminAPI) oneDelivery(w http.ResponseWriter, r *http.Request, number uint64) error {
	if err := allowOnly(w, r, http.MethodGet, http.MethodDelete); err != nil {
		return err
	}
	found, ok := recent.Get(number)
	if !ok {
		return noSuchDelivery
	}
	if r.Method == http.MethodDelete {
		if !recent.Erase(number) {
			return apiError(http.StatusNotFound, "nothing is captured of this delivery")
		}
		a.logger.Info("erased a captured delivery", zap.Uint64("number", number))
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	captured, ok := recent.Captured(number)
	if !ok {
		return writeJSON(w, found)
	}
	return writeJSON(w, explained(r.Context(), captured))
}

// eraseAll erases the captures of a label.
func (a *adminAPI) eraseAll(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	label := query.Get("provider")
	if label == "" || len(query) != 1 || len(query["provider"]) != 1 {
		return apiError(http.StatusBadRequest, "write ?provider=<label>: all captures of that label are erased")
	}
	recent.EraseAll(label)
	a.logger.Info("erased the captured deliveries of a label", zap.String("provider", label))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

var noSuchDelivery = apiError(http.StatusNotFound, "no such delivery: the list has the last ones only, and numbers begin elsewhere after a restart")

// follow shows deliveries as they arrive, one JSON object a line, until the
// configuration ends or the reader is too slow. With after or since it begins
// with deliveries that are already in the list.
func (a *adminAPI) follow(w http.ResponseWriter, r *http.Request) error {
	if err := allowOnly(w, r, http.MethodGet); err != nil {
		return err
	}
	filter, err := filterOf(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	if !query.Has("limit") {
		filter.Limit = 0
	}
	shown := recent.Follow(filter, query.Has("after") || query.Has("since"))
	defer shown.End()
	over := a.ctx.Done()
	if a.ctx.Err() != nil {
		// The endpoint still belongs to a configuration that failed to load. The
		// running configuration ends the followers.
		over = nil
	}
	writer := lineWriter{w, http.NewResponseController(w)}
	setHeaders(w, "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	if err := writer.write(shown.Backlog...); err != nil {
		a.dropped(err)
		return nil
	}
	for {
		select {
		case d, more := <-shown.Coming():
			if !more {
				if shown.TooSlow() {
					a.dropped(os.ErrDeadlineExceeded)
				}
				return nil
			}
			if err := writer.write(d); err != nil {
				a.dropped(err)
				return nil
			}
		case <-over:
			return nil
		case <-r.Context().Done():
			return nil
		}
	}
}

// dropped logs that a reader has not read what it was shown. One that has gone is
// no news.
func (a *adminAPI) dropped(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		a.logger.Warn("a reader of " + deliveriesPath + "/follow was too slow and is shown nothing more; with after= it can go on")
	}
}

// lineWriter writes a JSON object a line.
type lineWriter struct {
	http.ResponseWriter
	rc *http.ResponseController
}

// readWithin is how long a reader may take to read what is written to it.
const readWithin = 10 * time.Second

// write writes deliveries and flushes. It fails if the reader does not read.
func (w lineWriter) write(shown ...deliveries.Delivery) error {
	_ = w.rc.SetWriteDeadline(time.Now().Add(readWithin))
	encoder := json.NewEncoder(w)
	for _, d := range shown {
		if err := encoder.Encode(d); err != nil {
			return err
		}
	}
	return w.rc.Flush()
}

// filterOf parses the filters of a request.
func filterOf(r *http.Request) (deliveries.Filter, error) {
	filter, err := deliveries.ParseFilter(r.URL.Query(), time.Now())
	if err != nil {
		return filter, caddy.APIError{HTTPStatus: http.StatusBadRequest, Err: err}
	}
	return filter, nil
}

// setHeaders forbids caching an answer and guessing its content type, because
// its content was written by senders.
func setHeaders(w http.ResponseWriter, contentType string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if !recent.On() {
		h.Set(headerRecent, "off")
	}
}

func writeJSON(w http.ResponseWriter, value any) error {
	setHeaders(w, "application/json")
	return json.NewEncoder(w).Encode(value)
}
