package webhook

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/module/deliveries"
)

// newAdmin starts a server that answers like the admin endpoint. The end-to-end
// tests use the real one.
func newAdmin(t *testing.T, answers map[string]string) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, known := answers[r.RequestURI]
		if !known {
			w.WriteHeader(http.StatusNotFound)
			answer = `{"error":"no such\\nthing"}`
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

const hostile = `{"number":483202,"time":"2026-01-31T12:00:07.000Z","provider":"stripe","scheme":"stripe","verdict":"rejected","reason":"signature_mismatch","path":"/\u001b[2J\u202e","status":401,"duration":0.0004,"hint":"none of the secrets produces this signature"`

func TestDeliveryLine(t *testing.T) {
	at := deliveries.Timestamp{Time: time.Date(2026, 1, 31, 12, 0, 0, 0, time.Local)}
	for _, c := range []struct {
		d    deliveries.Delivery
		want string
	}{
		{
			deliveries.Delivery{Number: 483201, Time: at, Verdict: "accepted", Provider: "stripe", Event: "invoice.paid", ID: "evt_1PxY", Status: 200, Duration: 0.0014},
			"483201  12:00:00  accepted   stripe  invoice.paid        evt_1PxY  200  1ms\n",
		},
		{
			deliveries.Delivery{Number: 483202, Time: at, Verdict: "rejected", Provider: "stripe", Reason: "stale", Event: "e", Status: 401, Hint: "old"},
			"483202  12:00:00  rejected   stripe  stale               -         401  0ms  old\n",
		},
		{
			deliveries.Delivery{Number: 2, Time: at, Verdict: "accepted", Provider: "p", ID: "i", Attempt: 3, Inbox: "redelivered"},
			"2  12:00:00  accepted   p       -                   i         -    0ms  attempt 3 of the inbox delivered it\n",
		},
		{
			deliveries.Delivery{Number: 3, Time: at, Verdict: "accepted", Provider: "p", ID: "i", Status: 200, Inbox: "kept", Hint: "h"},
			"3  12:00:00  accepted   p       -                   i         200  0ms  kept in the inbox; h\n",
		},
		{
			deliveries.Delivery{Number: 1, Time: at, Verdict: "accepted", Provider: "p", Event: "a\x1b[2J\u202e\n\tb"},
			"1  12:00:00  accepted   p       a\\x1b[2J\\u202e\\n\\tb  -         -    0ms\n",
		},
	} {
		if got := deliveryLine(&c.d); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestListDeliveries(t *testing.T) {
	address := newAdmin(t, map[string]string{
		"/verify_webhook/deliveries?limit=2&verdict=rejected": "[" + hostile + `},{"number":483201,"verdict":"rejected","provider":"p"}]`,
	})
	o := run(t, nil, "list", "--address", address, "--limit", "2", "--verdict", "rejected")
	if o.status != 0 || strings.Index(o.out, "483201") > strings.Index(o.out, "483202") || strings.Count(o.out, "\n") != 2 {
		t.Errorf("%d %s%s", o.status, o.out, o.errOut)
	}
	o = run(t, nil, "list", "--address", address, "--limit", "2", "--verdict", "rejected", "--json")
	if o.status != 0 || !strings.Contains(o.out, `"number":483202`) || strings.ContainsAny(o.out, "\x1b") {
		t.Errorf("%d %q", o.status, o.out)
	}
	for _, args := range [][]string{{"--verdict", "ok"}, {"--limit", "0"}, {"--since", "x"}, {"more"}} {
		if o := run(t, nil, append([]string{"list", "--address", address}, args...)...); o.status != 2 {
			t.Errorf("%v: %d", args, o.status)
		}
	}
	if o := run(t, nil, "list", "--address", address); o.status != 1 || !strings.Contains(o.errOut, `404: no such\nthing`) {
		t.Errorf("%d %q", o.status, o.errOut)
	}
}

func TestSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = w.Write([]byte("[]"))
	}), ReadHeaderTimeout: time.Minute}
	defer server.Close()
	go func() { _ = server.Serve(listener) }()
	if o := run(t, nil, "list", "--address", "unix/"+path); o.status != 0 || o.out != "" {
		t.Errorf("%d %s%s", o.status, o.out, o.errOut)
	}
}

func TestShow(t *testing.T) {
	const path = "/verify_webhook/deliveries/"
	address := newAdmin(t, map[string]string{
		path + "483201": hostile + "}",
		path + "483202": hostile + `,"captured":true,"uri":"/x?y","headers":{"../../Evil":["a"],"B":["\u001b[2J"]},"body":"e30K","explained_by":"a line end","what_to_do":"take it off"}`,
	})
	o := run(t, nil, "show", "--address", address, "483201")
	if o.status != 0 || !strings.Contains(o.out, "captured:       no") || !strings.Contains(o.out, `/\x1b[2J\u202e`) {
		t.Errorf("%d %q", o.status, o.out)
	}
	dir := filepath.Join(t.TempDir(), "new")
	o = run(t, nil, "show", "--address", address, "483202", "--save", dir)
	if o.status != 0 || strings.Contains(o.out, "\x1b") || !strings.Contains(o.out, "explained by:   a line end\nwhat to do:     take it off\n") {
		t.Errorf("%d %q", o.status, o.out)
	}
	for name, want := range map[string]string{savedHeaders: "../../Evil: a\nB: \x1b[2J\n", savedBody: "{}\n"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 2 {
		t.Errorf("%d files", len(files))
	}
	for want, args := range map[int][][]string{
		1: {{"483202", "--save", dir}, {"483201", "--save", dir + "2"}, {"1"}},
		2: {{}, {"x"}, {"1", "2"}},
	} {
		for _, a := range args {
			if o := run(t, nil, append([]string{"show", "--address", address}, a...)...); o.status != want {
				t.Errorf("%v: %s", a, fmt.Sprint(o))
			}
		}
	}
}
