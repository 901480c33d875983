package e2e

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

type header struct{ name, value string }

// delivery is a request as a provider would send it, headers in order and with
// their repetitions.
type delivery struct {
	method  string
	path    string
	headers []header
	body    []byte
}

// to is the same delivery to another path and query.
func (d delivery) to(path string) delivery {
	d.path = path
	return d
}

func (d delivery) by(method string) delivery {
	d.method = method
	return d
}

// saying is the same delivery with another body and the old signature.
func (d delivery) saying(body []byte) delivery {
	d.body = body
	return d
}

// plus adds a header, also beside one of the same name.
func (d delivery) plus(name, value string) delivery {
	d.headers = append(slices.Clone(d.headers), header{name, value})
	return d
}

func (d delivery) without(name string) delivery {
	d.headers = slices.DeleteFunc(slices.Clone(d.headers), func(h header) bool {
		return strings.EqualFold(h.name, name)
	})
	return d
}

func (d delivery) with(name, value string) delivery {
	return d.without(name).plus(name, value)
}

func (d delivery) get(name string) string {
	for _, h := range d.headers {
		if strings.EqualFold(h.name, name) {
			return h.value
		}
	}
	return ""
}

// answer is what a sender reads.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) verdict() string { return resolved(a.header.Get("X-Verdict")) }
func (a answer) reason() string  { return resolved(a.header.Get("X-Reason")) }

// resolved is empty for a placeholder that was not set.
func resolved(value string) string {
	if strings.HasPrefix(value, "{") {
		return ""
	}
	return value
}

// is asserts an answer of openSite. The reason of what was accepted is empty.
func (a answer) is(t *testing.T, status int, verdict, reason string) {
	t.Helper()
	if a.status != status || a.verdict() != verdict || a.reason() != reason {
		t.Errorf("answered %d %q %q, not %d %q %q", a.status, a.verdict(), a.reason(), status, verdict, reason)
	}
	if verdict != "accepted" && len(a.body) > 0 {
		t.Errorf("the body of a refusal is %q, not empty", a.body)
	}
}

func (a answer) accepted(t *testing.T) {
	t.Helper()
	a.is(t, http.StatusOK, "accepted", "")
}

// rejected asserts the reason, and the status that goes with it.
func (a answer) rejected(t *testing.T, reason string) {
	t.Helper()
	a.is(t, statusOf(reason), "rejected", reason)
	if a.status == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
		t.Error("a 503 without Retry-After")
	}
}

func (a answer) duplicate(t *testing.T) {
	t.Helper()
	a.is(t, http.StatusOK, "duplicate", "duplicate")
}

func statusOf(reason string) int {
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

// carries asserts that the application was given the delivery byte for byte,
// with an exact length and nothing unsigned behind it.
func (r received) carries(t *testing.T, d delivery) {
	t.Helper()
	if r.bodyErr != nil {
		t.Errorf("the application could not read the body: %v", r.bodyErr)
	}
	if !bytes.Equal(r.body, d.body) {
		t.Errorf("the application received %d bytes %.80q, sent were %d bytes %.80q", len(r.body), r.body, len(d.body), d.body)
	}
	if length := r.header.Values("Content-Length"); len(length) != 1 || length[0] != strconv.Itoa(len(d.body)) {
		t.Errorf("Content-Length %v for %d bytes", length, len(d.body))
	}
	if len(r.transferEncoding) > 0 || len(r.trailer) > 0 {
		t.Errorf("Transfer-Encoding %v, trailers %v", r.transferEncoding, r.trailer)
	}
	if r.uri != d.path {
		t.Errorf("the application was asked for %s, not %s", r.uri, d.path)
	}
	if want := d.method; r.method != want {
		t.Errorf("the application received %s, not %s", r.method, want)
	}
	for _, h := range d.headers {
		if !slices.Contains(r.header.Values(h.name), h.value) {
			t.Errorf("the application did not receive %s: %.80q", h.name, h.value)
		}
	}
}
