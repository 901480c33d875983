package webhook

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestForget uses a server that answers like the admin endpoint. The end-to-end
// tests use the real one.
func TestForget(t *testing.T) {
	var asked string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.URL.EscapedPath()
		if strings.HasSuffix(r.URL.Path, "/known") {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":"the history has no such event"}`))
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")

	for _, c := range []struct {
		args   []string
		status int
		asked  string
		out    string
		errOut string
	}{
		{[]string{"--provider", "p", "--id", "known"}, 0, "DELETE /verify_webhook/history/p/known", "known may be delivered again", ""},
		{[]string{"--provider", "p", "--id", "a/b"}, 1, "DELETE /verify_webhook/history/p/a%2Fb", "", "no such event"},
		{[]string{"--provider", "p"}, 2, "", "", "add --id I"},
		{[]string{"--provider", "p", "--id", "known", "more"}, 2, "", "", "no option takes"},
	} {
		asked = ""
		o := run(t, nil, append([]string{"forget", "--address", address}, c.args...)...)
		if o.status != c.status || asked != c.asked || !strings.Contains(o.out, c.out) || !strings.Contains(o.errOut, c.errOut) {
			t.Errorf("%v: status %d, asked %q\n%s%s", c.args, o.status, asked, o.out, o.errOut)
		}
	}
	server.Close()
	if o := run(t, nil, "forget", "--address", address, "--provider", "p", "--id", "known"); o.status != 1 || o.errOut == "" {
		t.Errorf("nobody there: status %d %s", o.status, o.errOut)
	}
}
