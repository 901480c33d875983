package module

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// provision provisions a handler from its JSON, in a configuration of its own.
func provision(t *testing.T, config string) (*Inspector, error) {
	t.Helper()
	ctx, err := caddy.ProvisionContext(&caddy.Config{Admin: &caddy.AdminConfig{Disabled: true}})
	if err != nil {
		t.Fatal(err)
	}
	h := new(Inspector)
	if err := json.Unmarshal([]byte(config), h); err != nil {
		t.Fatal(err)
	}
	if err := h.Provision(ctx); err != nil {
		return nil, err
	}
	return h, h.Validate()
}

// request returns a request as Caddy passes it on, from a user, or without one
// if user is empty.
func request(user string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://hooks.example.com/inspect/", nil)
	repl := caddy.NewReplacer()
	if user != "" {
		repl.Set("http.auth.user.id", user)
	}
	return r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl))
}

// TestAccess checks that only authentication or the operator's option opens the
// page. It is not enough that a request comes from this machine or claims to be
// from a user.
func TestAccess(t *testing.T) {
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return errors.New("passed on") })
	serve := func(h *Inspector, r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		if err := h.ServeHTTP(w, r, next); err != nil {
			t.Error(err)
		}
		return w
	}
	h, err := provision(t, `{}`)
	if err != nil {
		t.Fatal(err)
	}
	r := request("")
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("X-Forwarded-User", "alice")
	r.SetBasicAuth("alice", "guess")
	if w := serve(h, r); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "basic_auth") || strings.Contains(w.Body.String(), "<") {
		t.Errorf("nobody: %d %s", w.Code, w.Body)
	}
	if w := serve(h, request("alice")); !strings.Contains(w.Body.String(), "<main") {
		t.Errorf("alice: %d %s", w.Code, w.Body)
	}
	foreign := request("alice")
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	if w := serve(h, foreign); w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
	if h, err = provision(t, `{"access":"route"}`); err != nil {
		t.Fatal(err)
	}
	if w := serve(h, request("")); !strings.Contains(w.Body.String(), "<main") {
		t.Errorf("by the route: %d %s", w.Code, w.Body)
	}
	if _, err = provision(t, `{"access":"all"}`); err == nil || !strings.Contains(err.Error(), "write route") {
		t.Errorf("another word: %v", err)
	}
}
