package harness

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

// Received is one request as it reached the application.
type Received struct {
	Method           string
	URI              string
	remote           string
	Header           http.Header
	Trailer          http.Header
	transferEncoding []string
	Body             []byte
	BodyErr          error
}

// Application is the upstream of the gateway. It records every request.
type Application struct {
	Addr   string
	Notice Notice

	mu      sync.Mutex
	arrived int
	got     []Received
	before  func(*http.Request)
	answer  http.HandlerFunc
}

// NewApplication starts an application that answers 200 until Answers sets
// another handler.
func NewApplication(t *testing.T) *Application {
	t.Helper()
	a := &Application{
		before: func(*http.Request) {},
		answer: Status(http.StatusOK),
	}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	a.Addr = strings.TrimPrefix(server.URL, "http://")
	return a
}

func (a *Application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	a.arrived++
	before, answer := a.before, a.answer
	a.mu.Unlock()
	a.Notice.Raise()

	before(r)
	body, err := io.ReadAll(r.Body)
	a.record(Received{
		Method: r.Method, URI: r.RequestURI, remote: r.RemoteAddr,
		Header: r.Header.Clone(), Trailer: r.Trailer.Clone(),
		transferEncoding: slices.Clone(r.TransferEncoding),
		Body:             body, BodyErr: err,
	})
	answer(w, r)
}

func (a *Application) record(r Received) {
	a.mu.Lock()
	a.got = append(a.got, r)
	a.mu.Unlock()
	a.Notice.Raise()
}

// Answers sets how the next requests are answered.
func (a *Application) Answers(h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = h
}

// Reads sets a function that runs after the headers of a request and before its
// body is read.
func (a *Application) Reads(before func(*http.Request)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.before = before
}

// Arrivals returns the number of requests that have begun.
func (a *Application) Arrivals() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.arrived
}

// All returns the requests whose body has ended, in the order in which they
// ended.
func (a *Application) All() []Received {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.got)
}

// Forget drops what was recorded, for tests that measure.
func (a *Application) Forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.got, a.arrived = nil, 0
}

// With returns the requests for a path and query.
func (a *Application) With(uri string) []Received {
	return slices.DeleteFunc(a.All(), func(r Received) bool { return r.URI != uri })
}

// AwaitArrivals waits until n requests have arrived.
func (a *Application) AwaitArrivals(t *testing.T, n int) {
	t.Helper()
	Await(t, &a.Notice, "the application's requests", func() bool { return a.Arrivals() >= n })
}

// Saw asserts how many requests have reached the application so far.
func (a *Application) Saw(t *testing.T, n int) {
	t.Helper()
	if got := a.Arrivals(); got != n {
		t.Errorf("the application saw %d requests, not %d", got, n)
	}
}

// Status returns a handler that answers with a status.
func Status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// Until returns a handler that answers with a status after release is closed.
func Until(release <-chan struct{}, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.WriteHeader(code)
	}
}

// HangUp closes the connection without an answer.
func HangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// AwaitBodies waits until the application has read n whole bodies, and returns
// the last request.
func (a *Application) AwaitBodies(t *testing.T, n int) Received {
	t.Helper()
	Await(t, &a.Notice, "the application's bodies", func() bool { return len(a.All()) >= n })
	return a.All()[n-1]
}

// CountBody returns how often the application received this body.
func (a *Application) CountBody(body []byte) int {
	n := 0
	for _, r := range a.All() {
		if bytes.Equal(r.Body, body) {
			n++
		}
	}
	return n
}
