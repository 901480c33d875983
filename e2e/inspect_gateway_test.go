package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// adminEndpoint answers like a gateway's admin endpoint, with deliveries that
// no gateway would return: every field is hostile.
type adminEndpoint struct {
	addr   string
	notice harness.Notice

	mu        sync.Mutex
	all       []map[string]any // newest first
	inbox     []map[string]any
	writes    []string
	followers int
	reads     int
}

func newAdminEndpoint(t *testing.T) *adminEndpoint {
	t.Helper()
	a := new(adminEndpoint)
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.addr = strings.TrimPrefix(server.URL, "http://")
	return a
}

// add remembers a delivery: accepted, unless it says otherwise.
func (a *adminEndpoint) add(fields map[string]any) int {
	a.mu.Lock()
	number := 483201 + len(a.all)
	d := map[string]any{
		"number": number, "time": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"),
		"provider": "stripe", "scheme": "stripe", "verdict": "accepted", "id": "evt_" + strconv.Itoa(number),
		"event": "invoice.paid", "size": 1800, "status": 200, "application": 200, "duration": 0.012,
		"client": "192.0.2.7", "method": "POST", "path": "/stripe",
	}
	for name, value := range fields {
		if d[name] = value; value == nil {
			delete(d, name)
		}
	}
	a.all = slices.Insert(a.all, 0, d)
	a.mu.Unlock()
	a.notice.Raise()
	return number
}

// refused returns the fields in which a refused delivery differs.
func refused(reason string, more ...any) map[string]any {
	d := map[string]any{"verdict": "rejected", "reason": reason, "status": 401, "application": nil, "id": nil, "event": nil}
	for i := 0; i < len(more); i += 2 {
		d[more[i].(string)] = more[i+1]
	}
	return d
}

// captured returns the additional fields of a captured delivery.
func captured(headers map[string][]string, body string) map[string]any {
	return map[string]any{"captured": true, "uri": "/stripe?x=1", "headers": headers, "body": []byte(body)}
}

func (a *adminEndpoint) written() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.writes)
}

func (a *adminEndpoint) following() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.followers
}

func (a *adminEndpoint) listed() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.reads
}

// selected returns the deliveries that pass the filters of a request.
func (a *adminEndpoint) selected(r *http.Request) []map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := []map[string]any{}
	query := r.URL.Query()
	after, _ := strconv.Atoi(query.Get("after"))
	for _, d := range a.all {
		fits := d["number"].(int) > after
		for _, name := range []string{"provider", "verdict", "reason", "id"} {
			if value := query.Get(name); value != "" && d[name] != value {
				fits = false
			}
		}
		if fits {
			found = append(found, d)
		}
	}
	return found
}

func (a *adminEndpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const prefix = "/verify_webhook/"
	path := strings.TrimPrefix(r.URL.Path, prefix)
	switch {
	case r.Method != http.MethodGet:
		a.mu.Lock()
		a.writes = append(a.writes, r.Method+" "+r.URL.RequestURI())
		a.mu.Unlock()
		a.notice.Raise()
		_, _ = w.Write([]byte(`{"status":200,"id":"evt_1","judged":1,"delivered":1}`))
	case path == "inbox":
		_ = json.NewEncoder(w).Encode(a.inbox)
	case path == "deliveries":
		a.mu.Lock()
		a.reads++
		a.mu.Unlock()
		_ = json.NewEncoder(w).Encode(a.selected(r))
	case path == "deliveries/follow":
		a.follow(w, r)
	default:
		for _, d := range a.selected(httptest.NewRequest(http.MethodGet, "/", nil)) {
			if path == "deliveries/"+strconv.Itoa(d["number"].(int)) {
				_ = json.NewEncoder(w).Encode(d)
				return
			}
		}
		http.NotFound(w, r)
	}
}

func (a *adminEndpoint) follow(w http.ResponseWriter, r *http.Request) {
	count := func(n int) {
		a.mu.Lock()
		a.followers += n
		a.mu.Unlock()
		a.notice.Raise()
	}
	count(1)
	defer count(-1)
	rc := http.NewResponseController(w)
	_ = rc.Flush()
	for {
		changed := a.notice.Next()
		if found := a.selected(r); len(found) > 0 {
			_ = json.NewEncoder(w).Encode(found[0])
			_ = rc.Flush()
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}
