package schemes

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

// verify uses a scheme as a caller does, with the tolerance of five minutes
// that the vectors assume.
func verify(t testing.TB, scheme string, secrets []string, h http.Header, body []byte, at time.Time) (Event, error) {
	s := mustGet(t, scheme)
	return verifyBy(t, s, secrets, requestOf(s, h, body), body, at)
}

// verifyBy is like verify, for a scheme that need not be registered.
func verifyBy(t testing.TB, s Scheme, secrets []string, r Request, body []byte, at time.Time) (Event, error) {
	v, err := s.NewVerifier(secrets, Clock(func() time.Time { return at }))
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
	event, err := d.Verify()
	if err != nil {
		return Event{}, err
	}
	return bodyOf(event), nil
}

func mustGet(t testing.TB, name string) Scheme {
	t.Helper()
	s, ok := Get(name)
	if !ok {
		t.Fatalf("no scheme %q", name)
	}
	return s
}

// bodyOf returns the fields of an event that come from the body and the signed
// headers.
func bodyOf(e Event) Event {
	return Event{ID: e.ID, Type: e.Type, OccurredAt: e.OccurredAt, BodyTime: e.BodyTime, Tenant: e.Tenant, Environment: e.Environment}
}

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

// reasonOf returns the reason of an error, as verdicts show it.
func reasonOf(err error) string {
	var refusal Refusal
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refusal):
		return string(refusal.Reason())
	}
	return err.Error()
}

// TestOccurredAtInEitherNotation: Stripe's thin events write the time as text
// (stripe/stripe-node#2337), and its other events as Unix seconds.
func TestOccurredAtInEitherNotation(t *testing.T) {
	stripe := mustGet(t, "stripe")
	for body, want := range map[string]string{
		`{"created":"2026-09-17T06:20:52.246Z"}`: "2026-09-17T06:20:52.246Z",
		`{"created":1789626052}`:                 "2026-09-17T06:20:52Z",
		`{"created":"yesterday"}`:                "",
	} {
		got := ""
		sent := Delivery{Body: []byte(body), At: ownClock()}
		h, err := stripe.SignWith("k", sent)
		if err != nil {
			t.Fatal(err)
		}
		event, err := verify(t, "stripe", []string{"k"}, h, sent.Body, sent.At)
		if err != nil {
			t.Fatal(err)
		}
		if at := event.OccurredAt; !at.IsZero() {
			got = at.UTC().Format(time.RFC3339Nano)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}
