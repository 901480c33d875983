package webhook

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestHealth uses a server that answers like the admin endpoint. The
// container's test uses the real one.
func TestHealth(t *testing.T) {
	answer := http.StatusOK
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.Path
		w.WriteHeader(answer)
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")

	healthy := func(want int, args ...string) {
		t.Helper()
		asked = ""
		o := run(t, nil, append([]string{"health"}, args...)...)
		if o.status != want || o.out != "" || (o.errOut == "") != (want == 0) {
			t.Errorf("%v: status %d, not %d: %q %q", args, o.status, want, o.out, o.errOut)
		}
	}
	healthy(0, "--address", address)
	if want := "GET /metrics"; asked != want {
		t.Errorf("asked %q, not %q", asked, want)
	}
	healthy(2, "--address", address, "more")
	answer = http.StatusInternalServerError
	healthy(1, "--address", address)
	server.Close()
	healthy(1, "--address", address)
}
