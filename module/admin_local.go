package module

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// Admin returns a handler for Hooklatch's part of the admin endpoint within the
// process, for the page that shows deliveries. It has none of the admin
// endpoint's own protection: the caller must check who may use it.
func Admin(logger *zap.Logger) http.Handler {
	api := &adminAPI{logger: logger, ctx: context.Background()} // each request ends by its own context
	mux := http.NewServeMux()
	for _, route := range api.Routes() {
		mux.Handle(route.Pattern, localAdmin{route.Handler})
	}
	return mux
}

// localAdmin answers an error as Caddy's admin endpoint does.
type localAdmin struct{ caddy.AdminHandler }

func (l localAdmin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := l.AdminHandler.ServeHTTP(w, r)
	if err == nil {
		return
	}
	status := http.StatusInternalServerError
	if refused, ok := errors.AsType[caddy.APIError](err); ok {
		status = refused.HTTPStatus
		err = refused.Err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) // the reader may have gone
}
