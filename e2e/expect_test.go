package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestExpectRefused: a sender that asks first and is refused from its headers
// gets its answer without sending anything, and is let go. A gateway that waits
// for the body does not answer before the test gives up.
func TestExpectRefused(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(
		hook("/craneops", "craneops", app.addr, "max_body 1KiB", "body_timeout 1h"),
		hook("/mceasy", "mceasy", app.addr, "body_timeout 1h"),
	), secrets()...)
	const signature = "X-CraneOps-Signature"
	d := craneops(strings.Repeat("x", 1000))
	m := mceasy(`{}`, time.Now(), "6", "1")
	cases := []struct {
		sent   delivery
		reason string
	}{
		{d.by(http.MethodPut), "method_not_allowed"},
		{d.without(signature), "missing_signature"},
		{d.with(signature, "no hex"), "malformed_signature"},
		{m.without("X-McEasyWebhook-Timestamp"), "missing_signed_header"},
		{m.with("X-McEasyWebhook-Event", "6x"), "malformed_signed_header"},
		{craneops(strings.Repeat("x", 2000)), "body_too_large"},
	}
	for _, c := range cases {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			w := g.dial(t)
			w.write(t, c.sent.head(c.sent.length(), "Expect: 100-continue"), "\r\n")
			w.mustRead(t).rejected(t, c.reason)
			if _, err := w.in.ReadByte(); !errors.Is(err, io.EOF) && !reset(err) {
				t.Errorf("the connection stays open: %v", err)
			}
			if n := app.countBody(c.sent.body); n != 0 {
				t.Error("it reached the application")
			}
		})
	}
}

func reset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// TestExpectRead: who has nothing against the headers asks for the body.
func TestExpectRead(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	d := craneops(`{"asked":"first"}`)
	cases := []struct {
		name string
		body string
		want func(*testing.T, answer)
	}{
		{"forged", strings.Repeat("x", len(d.body)), func(t *testing.T, a answer) { a.rejected(t, "signature_mismatch") }},
		{"accepted", string(d.body), accepted},
		{"duplicate", string(d.body), duplicate},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := g.dial(t)
			w.write(t, d.head(d.length(), "Expect: 100-continue"), "\r\n")
			if a := w.mustRead(t); a.status != http.StatusContinue {
				t.Fatalf("answered %d, not 100", a.status)
			}
			w.write(t, c.body)
			c.want(t, w.mustRead(t))
		})
	}
	app.saw(t, 1)
	app.all()[0].carries(t, d)
}

// TestExpectThenTooLarge: a sender that has asked and writes on is refused in
// the middle of its body. It may write to its end, and sees the answer.
func TestExpectThenTooLarge(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(hook("/craneops", "craneops", app.addr, "max_body 1KiB")), secrets()...)
	d := craneops(strings.Repeat("x", 16<<20))
	for range 5 {
		w := g.dial(t)
		w.write(t, d.head("Transfer-Encoding: chunked", "Expect: 100-continue"), "\r\n")
		if a := w.mustRead(t); a.status != http.StatusContinue {
			t.Fatalf("answered %d, not 100", a.status)
		}
		w.write(t, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(d.body), d.body))
		w.mustRead(t).rejected(t, "body_too_large")
	}
	if n := app.countBody(d.body); n != 0 {
		t.Error("it reached the application")
	}
}

// TestCurlAsks: curl asks by itself for bodies over 1 MiB, and here waits for
// the answer.
func TestCurlAsks(t *testing.T) {
	t.Parallel()
	needs(t, "curl")
	g, app := craneopsGateway(t, "body_timeout 1h")
	d := craneops(strings.Repeat("0123456789abcdef", 2<<20/16))
	steps := []struct {
		name string
		sent delivery
		want func(*testing.T, answer)
	}{
		{"refused", d.without("X-CraneOps-Signature"), func(t *testing.T, a answer) { a.rejected(t, "missing_signature") }},
		{"forged", d.with("X-CraneOps-Signature", strings.Repeat("0", 64)), func(t *testing.T, a answer) { a.rejected(t, "signature_mismatch") }},
		{"accepted", d, accepted},
		{"duplicate", d, duplicate},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			a, err := sendCurlAsking(t, g, s.sent)
			if err != nil {
				t.Fatal(err)
			}
			s.want(t, a)
		})
	}
	app.saw(t, 1)
}
