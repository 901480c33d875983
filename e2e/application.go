package e2e

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// received is one request as it reached the application.
type received struct {
	method           string
	uri              string
	remote           string
	header           http.Header
	trailer          http.Header
	transferEncoding []string
	body             []byte
	bodyErr          error
}

// application stands behind the gateway and records everything.
type application struct {
	addr   string
	notice notice

	mu      sync.Mutex
	arrived int
	got     []received
	before  func(*http.Request)
	answer  http.HandlerFunc
}

// newApplication answers 200 until it is told otherwise.
func newApplication(t *testing.T) *application {
	t.Helper()
	a := &application{
		before: func(*http.Request) {},
		answer: status(http.StatusOK),
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.addr = strings.TrimPrefix(server.URL, "http://")
	return a
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.arrived++
	before, answer := a.before, a.answer
	a.mu.Unlock()
	a.notice.raise()

	before(r)
	body, err := io.ReadAll(r.Body)
	a.record(received{
		method: r.Method, uri: r.RequestURI, remote: r.RemoteAddr,
		header: r.Header.Clone(), trailer: r.Trailer.Clone(),
		transferEncoding: slices.Clone(r.TransferEncoding),
		body:             body, bodyErr: err,
	})
	answer(w, r)
}

func (a *application) record(r received) {
	a.mu.Lock()
	a.got = append(a.got, r)
	a.mu.Unlock()
	a.notice.raise()
}

// answers sets how the next requests are answered.
func (a *application) answers(h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = h
}

// reads sets what happens between a request's headers and the reading of its body.
func (a *application) reads(before func(*http.Request)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.before = before
}

// arrivals counts the requests that have begun.
func (a *application) arrivals() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.arrived
}

// all are the requests whose body has ended, in that order.
func (a *application) all() []received {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.got)
}

// with are those that came to the given path and query.
func (a *application) with(uri string) []received {
	return slices.DeleteFunc(a.all(), func(r received) bool { return r.uri != uri })
}

func (a *application) awaitArrivals(t *testing.T, n int) {
	t.Helper()
	await(t, &a.notice, "the application's requests", func() bool { return a.arrivals() >= n })
}

// saw asserts how many requests have reached the application so far.
func (a *application) saw(t *testing.T, n int) {
	t.Helper()
	if got := a.arrivals(); got != n {
		t.Errorf("the application saw %d requests, not %d", got, n)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// until answers once release is closed.
func until(release <-chan struct{}, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.WriteHeader(code)
	}
}

// hangUp closes the connection without an answer.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// awaitBodies waits until the application has read that many bodies to their
// end, and gives the last one.
func (a *application) awaitBodies(t *testing.T, n int) received {
	t.Helper()
	await(t, &a.notice, "the application's bodies", func() bool { return len(a.all()) >= n })
	return a.all()[n-1]
}

// countBody is how many times the application received these bytes.
func (a *application) countBody(body []byte) int {
	n := 0
	for _, r := range a.all() {
		if bytes.Equal(r.body, body) {
			n++
		}
	}
	return n
}
