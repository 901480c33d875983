package module

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// forgetting sends a request to the admin endpoint and returns its status.
func (g *gateway) forgetting(t *testing.T, method, path string) int {
	t.Helper()
	api := &adminAPI{logger: zap.NewNop()}
	w := httptest.NewRecorder()
	err := api.Routes()[0].Handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	if refused, ok := errors.AsType[caddy.APIError](err); ok {
		return refused.HTTPStatus
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.Code
}

func TestForget(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	g := newGateway(t, map[string]any{"provider": "forget"}, func(w http.ResponseWriter, _ *http.Request) error {
		arrived <- struct{}{}
		<-release
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	answered := make(chan answerOf)
	go func() { answered <- g.send(t, craneops(body), body) }()
	<-arrived
	id := g.delivered()[0].header.Get("Webhook-Id")
	path := "/verify_webhook/history/forget/" + id
	if status := g.forgetting(t, "DELETE", path); status != http.StatusConflict {
		t.Errorf("while it is handled: %d", status)
	}
	close(release)
	expect(t, <-answered, http.StatusNoContent, "")

	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", path, http.StatusMethodNotAllowed},
		{"DELETE", "/verify_webhook/history/", http.StatusBadRequest},
		{"DELETE", "/verify_webhook/history/forget", http.StatusBadRequest},
		{"DELETE", "/verify_webhook/history/forget/", http.StatusBadRequest},
		{"DELETE", "/verify_webhook/history/another/" + id, http.StatusNotFound},
		{"DELETE", "/verify_webhook/history/forget/sha256-00", http.StatusNotFound},
		{"DELETE", path, http.StatusNoContent},
		{"DELETE", path, http.StatusNotFound},
	} {
		if status := g.forgetting(t, c.method, c.path); status != c.status {
			t.Errorf("%s %s: %d, want %d", c.method, c.path, status, c.status)
		}
	}
	expect(t, g.send(t, craneops(body), body), http.StatusNoContent, "")
	g.expectDelivered(t, body, body)
}

func TestForgetWithoutApp(t *testing.T) {
	g := &gateway{}
	if status := g.forgetting(t, "DELETE", "/verify_webhook/history/a/sha256-ab000000000000000000000000000001"); status != http.StatusNotFound {
		t.Error(status)
	}
}

func TestForgetWithABrokenStore(t *testing.T) {
	g := newGateway(t, map[string]any{"provider": "broken", "replay": map[string]any{"store": "test_broken"}}, nil)
	if err := g.app.Start(); err != nil {
		t.Fatal(err)
	}
	if status := g.forgetting(t, "DELETE", "/verify_webhook/history/broken/sha256-ab000000000000000000000000000001"); status != http.StatusServiceUnavailable {
		t.Error(status)
	}
}
