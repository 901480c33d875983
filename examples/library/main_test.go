package main

import (
	"bytes"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// TestHook sends an authentic delivery, a changed one and an old one over HTTP.
func TestHook(t *testing.T) {
	v, err := schemes.NewVerifier("stripe", []string{"whsec_test"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hook(v, w, r) }))
	defer server.Close()
	stripe, _ := schemes.Get("stripe")
	const body = `{"id":"evt_1","type":"invoice.paid"}`
	for _, c := range []struct {
		name, sent string
		at         time.Time
		status     int
		logged     string
	}{
		{"authentic", body, time.Now(), http.StatusOK, "invoice.paid evt_1"},
		{"changed", body + " ", time.Now(), http.StatusUnauthorized, "signature_mismatch"},
		{"old", body, time.Unix(0, 0), http.StatusUnauthorized, "stale"},
	} {
		var logged bytes.Buffer
		log.SetOutput(&logged)
		headers, err := stripe.SignWith("whsec_test", schemes.Delivery{Body: []byte(body), At: c.at})
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest(http.MethodPost, server.URL, strings.NewReader(c.sent))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = headers
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.status || !strings.Contains(logged.String(), c.logged) {
			t.Errorf("%s: %d, log %q, want %d and %q", c.name, res.StatusCode, logged.String(), c.status, c.logged)
		}
	}
}
