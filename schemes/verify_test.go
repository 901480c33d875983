package schemes

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

// verify is what a caller does with a scheme, with the window of five minutes
// that the vectors assume.
func verify(t testing.TB, scheme string, secrets []string, h http.Header, body []byte, at time.Time) (Event, error) {
	s, ok := Get(scheme)
	if !ok {
		t.Fatalf("no scheme %q", scheme)
	}
	return verifyBy(t, s, secrets, requestOf(s, h, body), body, at)
}

// verifyBy is verify for a scheme that need not be registered.
func verifyBy(t testing.TB, s *Scheme, secrets []string, r Request, body []byte, at time.Time) (Event, error) {
	v, err := s.NewVerifier(secrets)
	if err != nil {
		t.Fatal(err)
	}
	d, err := v.Begin(r)
	if err != nil {
		return Event{}, err
	}
	defer d.Close()
	// In pieces, as bodies arrive.
	for piece := range bytesIn(body, 7) {
		d.Write(piece)
	}
	if _, err := d.Authenticate(); err != nil {
		return Event{}, err
	}
	if s.Time == TimeInHeaders {
		switch age := at.Sub(d.SignedHeaders.SentAt); {
		case age > 5*time.Minute:
			return Event{}, errStale
		case age < -5*time.Minute:
			return Event{}, errFuture
		}
	}
	return d.event(), nil
}

var (
	errStale  = errors.New("stale")
	errFuture = errors.New("future")
)

func bytesIn(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			k := min(n, len(b))
			if !yield(b[:k]) {
				return
			}
			b = b[k:]
		}
	}
}

// reasonOf names an error the way a verdict does.
func reasonOf(err error) string {
	var refusal *Refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refusal):
		return string(refusal.Reason)
	}
	return err.Error()
}
