package module

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
)

// TestLocalAdmin checks that the endpoint answers within the process as over
// HTTP, including errors.
func TestLocalAdmin(t *testing.T) {
	w := httptest.NewRecorder()
	Admin(zap.NewNop()).ServeHTTP(w, httptest.NewRequest(http.MethodDelete, "/verify_webhook/history/nobody/sha256-00", nil))
	if w.Code != http.StatusNotFound || !strings.HasPrefix(w.Body.String(), `{"error":"nothing to forget`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	w = httptest.NewRecorder()
	Admin(zap.NewNop()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/config/", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("another endpoint: %d", w.Code)
	}
}
