package module

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/module/replay"
)

// inboxPath is the path of the inboxes: GET lists their deliveries, POST
// …/<provider>/<id>/retry and DELETE …/<provider>/<id> change one delivery, and
// POST …/<provider>/retry changes all.
const inboxPath = "/verify_webhook/inbox"

const inboxPaths = "the paths are " + inboxPath + ", " + inboxPath + "/<provider>/<id>, …/<provider>/<id>/retry and …/<provider>/retry"

// inboxes answers requests at and below inboxPath.
func (a *adminAPI) inboxes(w http.ResponseWriter, r *http.Request) error {
	parts, err := pathParts(strings.TrimPrefix(r.URL.EscapedPath(), inboxPath))
	if err != nil {
		return apiError(http.StatusBadRequest, inboxPaths)
	}
	switch {
	case len(parts) == 0:
		return a.listInbox(w, r)
	case len(parts) == 2 && parts[1] == "retry" && r.Method == http.MethodPost:
		return a.retryAll(w, r, parts[0])
	case len(parts) == 2:
		return a.changeEntry(w, r, http.MethodDelete, parts[0], parts[1], inbox.Inbox.Drop)
	case len(parts) == 3 && parts[2] == "retry":
		return a.changeEntry(w, r, http.MethodPost, parts[0], parts[1], inbox.Inbox.Retry)
	}
	return apiError(http.StatusBadRequest, inboxPaths)
}

// pathParts splits an escaped path. Slashes within an id are escaped.
func pathParts(escaped string) (parts []string, err error) {
	if escaped = strings.Trim(escaped, "/"); escaped == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(escaped, "/") {
		text, err := url.PathUnescape(part)
		if err != nil || text == "" {
			return nil, errors.New("no part of a path")
		}
		parts = append(parts, text)
	}
	return parts, nil
}

// onlyMethod rejects other methods.
func onlyMethod(w http.ResponseWriter, r *http.Request, method string) error {
	if r.Method == method {
		return nil
	}
	w.Header().Set("Allow", method)
	return apiError(http.StatusMethodNotAllowed, "only "+method+" is known here")
}

// filters parses the query, which may have only these names.
func filters(r *http.Request, names ...string) (url.Values, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, apiError(http.StatusBadRequest, "the query cannot be read")
	}
	for name, values := range query {
		if !slices.Contains(names, name) || len(values) > 1 {
			return nil, apiError(http.StatusBadRequest, "unknown or repeated filter; write "+strings.Join(names, ", "))
		}
	}
	if state := query.Get("state"); state != "" && state != string(inbox.Waiting) && state != string(inbox.Dead) {
		return nil, apiError(http.StatusBadRequest, "unknown state; write waiting or dead")
	}
	return query, nil
}

func listed(l label, e inbox.Entry, now time.Time) inbox.Listed {
	path, _, _ := strings.Cut(e.Request.URI, "?")
	entry := inbox.Listed{
		Provider: l.provider, Scheme: l.scheme, Tenant: e.Facts.Tenant, ID: e.Facts.ID, State: string(e.State),
		Attempts: e.Last.Attempts, ReceivedAt: e.ReceivedAt.UTC(), KeptAt: e.KeptAt.UTC(),
		LastStatus: e.Last.Status, LastError: e.Last.Error, Key: e.Facts.Secret, Event: e.Facts.Event,
		Method: e.Request.Method, Path: path, Size: e.Size, ClientIP: e.ClientIP,
	}
	if e.State == inbox.Waiting {
		next := now.Add(max(e.Wait, 0)).UTC()
		entry.NextAttemptAt = &next
	}
	return entry
}

// listInbox writes the list while it reads it, because the list may be long.
func (a *adminAPI) listInbox(w http.ResponseWriter, r *http.Request) error {
	if err := onlyMethod(w, r, http.MethodGet); err != nil {
		return err
	}
	query, err := filters(r, "provider", "state")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	encoder, before := json.NewEncoder(w), "["
	var failed error
	for _, b := range series.inboxes.open.all() {
		if provider := query.Get("provider"); provider != "" && provider != b.label.provider {
			continue
		}
		err := b.opened.List(func(e inbox.Entry) bool {
			if state := query.Get("state"); state != "" && state != string(e.State) {
				return true
			}
			if _, failed = w.Write([]byte(before)); failed == nil {
				failed = encoder.Encode(listed(b.label, e, systemClock()))
			}
			before = ","
			return failed == nil
		})
		if err != nil && before == "[" {
			return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
		}
		if err != nil || failed != nil {
			panic(http.ErrAbortHandler) // the reader must not take a part for the whole list
		}
	}
	if before == "[" {
		_, _ = w.Write([]byte(before))
	}
	_, _ = w.Write([]byte("]\n"))
	return nil
}

// changeEntry changes one delivery. It answers 204, 404 if the delivery is
// unknown, and 409 if it is being attempted.
func (a *adminAPI) changeEntry(w http.ResponseWriter, r *http.Request, method, provider, id string, change func(inbox.Inbox, context.Context, replay.Key) error) error {
	if err := onlyMethod(w, r, method); err != nil {
		return err
	}
	query, err := filters(r, "tenant")
	if err != nil {
		return err
	}
	for _, b := range series.inboxes.open.all() {
		if b.label.provider != provider {
			continue
		}
		for _, key := range keysOfID(provider, query.Get("tenant"), id) {
			err := change(b.opened, r.Context(), key)
			if errors.Is(err, inbox.ErrUnknown) {
				continue
			}
			if err != nil {
				return inboxError(err)
			}
			series.inboxes.open.look(b.label)
			a.logger.Info("an operator changed the inbox", zap.String("method", method), zap.String("provider", provider), zap.String("tenant", query.Get("tenant")), zap.String("id", id))
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
	}
	return inboxError(inbox.ErrUnknown)
}

// retryAll makes the deliveries of a label due: all, or those in a given state.
func (a *adminAPI) retryAll(w http.ResponseWriter, r *http.Request, provider string) error {
	query, err := filters(r, "state")
	if err != nil {
		return err
	}
	known := false
	for _, b := range series.inboxes.open.all() {
		if b.label.provider != provider {
			continue
		}
		known = true
		var failed error
		err := b.opened.List(func(e inbox.Entry) bool {
			if state := query.Get("state"); state != "" && state != string(e.State) {
				return true
			}
			failed = b.opened.Retry(r.Context(), e.Keys.Content)
			if errors.Is(failed, inbox.ErrBusy) || errors.Is(failed, inbox.ErrUnknown) {
				failed = nil // it is being attempted, or has just been taken
			}
			return failed == nil
		})
		series.inboxes.open.look(b.label)
		if err = errors.Join(err, failed); err != nil {
			return inboxError(err)
		}
	}
	if !known {
		return apiError(http.StatusNotFound, "no inbox has this label")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// inboxError returns the admin endpoint's error for an error of an inbox.
func inboxError(err error) error {
	switch {
	case errors.Is(err, inbox.ErrUnknown):
		return apiError(http.StatusNotFound, "the inbox has no such delivery; webhook inbox list shows all")
	case errors.Is(err, inbox.ErrBusy):
		return apiError(http.StatusConflict, "the delivery is being attempted right now; try again")
	}
	return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
}
