package module

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/hooklatch/hooklatch/module/replay"
)

func init() { caddy.RegisterModule(adminAPI{}) }

// historyPath is the path under which DELETE removes one delivery from the
// history of a label, so that it can be delivered again.
const historyPath = "/verify_webhook/history/"

// adminAPI is Hooklatch's part of Caddy's admin endpoint.
type adminAPI struct {
	logger *zap.Logger
	ctx    context.Context // of the configuration
}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.verify_webhook",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Provision stores the logger and the context of the configuration.
func (a *adminAPI) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger(a) // otherwise a module of the admin endpoint has no name in logs
	a.ctx = ctx
	return nil
}

// Routes returns the routes of the admin endpoint.
func (a *adminAPI) Routes() []caddy.AdminRoute {
	return []caddy.AdminRoute{
		{Pattern: historyPath, Handler: caddy.AdminHandlerFunc(a.history)},
		{Pattern: deliveriesPath, Handler: caddy.AdminHandlerFunc(a.deliveries)},
		{Pattern: deliveriesPath + "/", Handler: caddy.AdminHandlerFunc(a.deliveries)},
		{Pattern: rejudgePath, Handler: caddy.AdminHandlerFunc(a.rejudge)},
		{Pattern: inboxPath, Handler: caddy.AdminHandlerFunc(a.inboxes)},
		{Pattern: inboxPath + "/", Handler: caddy.AdminHandlerFunc(a.inboxes)},
	}
}

// history answers DELETE historyPath<provider>/<id>[?tenant=]: 204 forgotten, 404 unknown,
// 409 being handled right now, 503 the store cannot be used.
func (a *adminAPI) history(w http.ResponseWriter, r *http.Request) error {
	if err := allowOnly(w, r, http.MethodDelete); err != nil {
		return err
	}
	label, id, found := strings.Cut(strings.TrimPrefix(r.URL.Path, historyPath), "/")
	if !found || id == "" {
		return apiError(http.StatusBadRequest, "the path is "+historyPath+"<provider>/<id>")
	}
	query, err := filters(r, "tenant")
	if err != nil {
		return err
	}
	status, err := a.forget(r, label, query.Get("tenant"), id)
	switch {
	case err != nil:
		return caddy.APIError{HTTPStatus: http.StatusServiceUnavailable, Err: err}
	case status == replay.InFlight:
		return apiError(http.StatusConflict, "the event is being handled right now, or waits in the inbox; try again, or take it out with webhook inbox drop")
	case status != replay.Forgotten:
		return apiError(http.StatusNotFound, "nothing to forget: no handler has this label, or its history has no event of this tenant with this id; the id is what the application got as Webhook-Id")
	}
	a.logger.Info("forgot a delivery; it can be delivered again", zap.String("provider", label), zap.String("tenant", query.Get("tenant")), zap.String("id", id))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// forget removes a delivery from the history of a label. For a label or an id
// that does not exist, it returns Unknown.
func (a *adminAPI) forget(r *http.Request, label, tenant, id string) (replay.Status, error) {
	shared := historiesByLabel.newest(label)
	if shared == nil {
		return replay.Unknown, nil
	}
	shared.acquire()
	defer shared.release()
	history, err := shared.get()
	if err != nil {
		return 0, err
	}
	status := replay.Unknown
	for _, key := range keysOfID(label, tenant, id) {
		if status, err = history.Forget(r.Context(), key); err != nil {
			return 0, fmt.Errorf("forgetting: %w", err)
		}
		if known := outlived.forget(key); status == replay.Unknown && known {
			status = replay.Forgotten
		}
		if status != replay.Unknown {
			break
		}
	}
	return status, nil
}

// keysOfID returns the keys that a delivery with this id may have: the id may
// be made from the content, or be the one that the provider signs, which may
// look the same. A tenant of a label has keys of its own only with the option
// tenants.
func keysOfID(label, tenant, id string) []replay.Key {
	var keys []replay.Key
	if key, ok := replay.ParseID(id); ok {
		keys = append(keys, key)
	}
	if tenant != "" {
		keys = append(keys, idKey(ownerOf(label, tenant), id))
	}
	return append(keys, idKey(label, id))
}

// allowOnly rejects methods that a path does not have.
func allowOnly(w http.ResponseWriter, r *http.Request, methods ...string) error {
	if slices.Contains(methods, r.Method) {
		return nil
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return apiError(http.StatusMethodNotAllowed, "only "+strings.Join(methods, " and ")+" is known here")
}

func apiError(status int, text string) error {
	return caddy.APIError{HTTPStatus: status, Err: errors.New(text)}
}

// Interface guards
var (
	_ caddy.AdminRouter = (*adminAPI)(nil)
	_ caddy.Provisioner = (*adminAPI)(nil)
)
