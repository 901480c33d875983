package harness

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Header is one header, as it is sent.
type Header struct{ Name, Value string }

// Delivery is a request as a provider would send it. It keeps the order of
// headers and repeated ones.
type Delivery struct {
	Method  string
	Path    string
	Headers []Header
	Body    []byte
}

// To returns the delivery with another path and query.
func (d Delivery) To(path string) Delivery {
	d.Path = path
	return d
}

// By returns the delivery with another method.
func (d Delivery) By(method string) Delivery {
	d.Method = method
	return d
}

// Saying returns the delivery with another body and the old signature.
func (d Delivery) Saying(body []byte) Delivery {
	d.Body = body
	return d
}

// Plus returns the delivery with another header, even if it has one with the
// same name.
func (d Delivery) Plus(name, value string) Delivery {
	d.Headers = append(slices.Clone(d.Headers), Header{name, value})
	return d
}

// Without returns the delivery without a header.
func (d Delivery) Without(name string) Delivery {
	d.Headers = slices.DeleteFunc(slices.Clone(d.Headers), func(h Header) bool {
		return strings.EqualFold(h.Name, name)
	})
	return d
}

// With returns the delivery with one header in place of all with that name.
func (d Delivery) With(name, value string) Delivery {
	return d.Without(name).Plus(name, value)
}

// Get returns the first header with a name.
func (d Delivery) Get(name string) string {
	for _, h := range d.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// Answer is the answer that a sender reads.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Verdict returns the verdict, which the test's site adds to the answer.
func (a Answer) Verdict() string { return resolved(a.Header.Get("X-Verdict")) }

// Reason returns the reason, which the test's site adds to the answer.
func (a Answer) Reason() string { return resolved(a.Header.Get("X-Reason")) }

// resolved returns a value, or nothing for a placeholder that was not set.
func resolved(value string) string {
	if strings.HasPrefix(value, "{") {
		return ""
	}
	return value
}

// Is asserts an answer of OpenSite. The reason of an accepted delivery is
// empty.
func (a Answer) Is(t *testing.T, status int, verdict, reason string) {
	t.Helper()
	if a.Status != status || a.Verdict() != verdict || a.Reason() != reason {
		t.Errorf("answered %d %q %q, not %d %q %q", a.Status, a.Verdict(), a.Reason(), status, verdict, reason)
	}
	if verdict != "accepted" && len(a.Body) > 0 {
		t.Errorf("the body of a refusal is %q, not empty", a.Body)
	}
}

// Accepted fails the test unless the delivery was accepted.
func (a Answer) Accepted(t *testing.T) {
	t.Helper()
	a.Is(t, http.StatusOK, "accepted", "")
}

// Rejected asserts the reason, and the status that goes with it.
func (a Answer) Rejected(t *testing.T, reason string) {
	t.Helper()
	a.Is(t, StatusOf(reason), "rejected", reason)
	if a.Status == http.StatusServiceUnavailable && a.Header.Get("Retry-After") == "" {
		t.Error("a 503 without Retry-After")
	}
}

// Duplicate fails the test unless the delivery was a duplicate.
func (a Answer) Duplicate(t *testing.T) {
	t.Helper()
	a.Is(t, http.StatusOK, "duplicate", "duplicate")
}

// StatusOf returns the status of a reason.
func StatusOf(reason string) int {
	switch reason {
	case "method_not_allowed":
		return http.StatusMethodNotAllowed
	case "body_too_large":
		return http.StatusRequestEntityTooLarge
	case "body_timeout":
		return http.StatusRequestTimeout
	case "body_incomplete":
		return http.StatusBadRequest
	case "conflict":
		return http.StatusConflict
	case "in_flight", "store_unavailable":
		return http.StatusServiceUnavailable
	default:
		return http.StatusUnauthorized
	}
}

// Carries asserts that the application received the delivery byte for byte,
// with the exact length and nothing unsigned after it.
func (r Received) Carries(t *testing.T, d Delivery) {
	t.Helper()
	if r.BodyErr != nil {
		t.Errorf("the application could not read the body: %v", r.BodyErr)
	}
	if !bytes.Equal(r.Body, d.Body) {
		t.Errorf("the application received %d bytes %.80q, sent were %d bytes %.80q", len(r.Body), r.Body, len(d.Body), d.Body)
	}
	if length := r.Header.Values("Content-Length"); len(length) != 1 || length[0] != strconv.Itoa(len(d.Body)) {
		t.Errorf("Content-Length %v for %d bytes", length, len(d.Body))
	}
	if len(r.transferEncoding) > 0 || len(r.Trailer) > 0 {
		t.Errorf("Transfer-Encoding %v, trailers %v", r.transferEncoding, r.Trailer)
	}
	if r.URI != d.Path {
		t.Errorf("the application was asked for %s, not %s", r.URI, d.Path)
	}
	if want := d.Method; r.Method != want {
		t.Errorf("the application received %s, not %s", r.Method, want)
	}
	for _, h := range d.Headers {
		if !slices.Contains(r.Header.Values(h.Name), h.Value) {
			t.Errorf("the application did not receive %s: %.80q", h.Name, h.Value)
		}
	}
}
