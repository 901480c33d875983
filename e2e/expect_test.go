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

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestExpectRefused: a sender that waits for "100 Continue" and is refused from
// its headers gets its answer without sending a body, and the connection is
// closed. If the gateway waited for the body, it would not answer before the
// test gives up.
func TestExpectRefused(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/craneops", "craneops", app.Addr, "max_body 1KiB", "body_timeout 1h"),
		harness.Hook("/mceasy", "mceasy", app.Addr, "body_timeout 1h"),
	), harness.Secrets()...)
	const signature = "X-CraneOps-Signature"
	d := harness.CraneOps(strings.Repeat("x", 1000))
	m := harness.McEasy(`{}`, time.Now(), "6", "1")
	cases := []struct {
		sent   harness.Delivery
		reason string
	}{
		{d.By(http.MethodPut), "method_not_allowed"},
		{d.Without(signature), "missing_signature"},
		{d.With(signature, "no hex"), "malformed_signature"},
		{m.Without("X-McEasyWebhook-Timestamp"), "missing_signed_header"},
		{m.With("X-McEasyWebhook-Event", "6x"), "malformed_signed_header"},
		{harness.CraneOps(strings.Repeat("x", 2000)), "body_too_large"},
	}
	for _, c := range cases {
		t.Run(c.reason, func(t *testing.T) {
			t.Parallel()
			w := g.Dial(t)
			w.Write(t, c.sent.Head(c.sent.Length(), "Expect: 100-continue"), "\r\n")
			w.MustRead(t).Rejected(t, c.reason)
			if _, err := w.In.ReadByte(); !errors.Is(err, io.EOF) && !reset(err) {
				t.Errorf("the connection stays open: %v", err)
			}
			if n := app.CountBody(c.sent.Body); n != 0 {
				t.Error("it reached the application")
			}
		})
	}
}

func reset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// TestExpectRead: if the headers are fine, the gateway asks for the body.
func TestExpectRead(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	d := harness.CraneOps(`{"asked":"first"}`)
	cases := []struct {
		name string
		body string
		want func(*testing.T, harness.Answer)
	}{
		{"forged", strings.Repeat("x", len(d.Body)), func(t *testing.T, a harness.Answer) { a.Rejected(t, "signature_mismatch") }},
		{"accepted", string(d.Body), accepted},
		{"duplicate", string(d.Body), duplicate},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := g.Dial(t)
			w.Write(t, d.Head(d.Length(), "Expect: 100-continue"), "\r\n")
			if a := w.MustRead(t); a.Status != http.StatusContinue {
				t.Fatalf("answered %d, not 100", a.Status)
			}
			w.Write(t, c.body)
			c.want(t, w.MustRead(t))
		})
	}
	app.Saw(t, 1)
	app.All()[0].Carries(t, d)
}

// TestExpectThenTooLarge: a sender that got "100 Continue" is refused in the
// middle of its body. It can still write the rest, and reads the answer.
func TestExpectThenTooLarge(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr, "max_body 1KiB")), harness.Secrets()...)
	d := harness.CraneOps(strings.Repeat("x", 16<<20))
	for range 5 {
		w := g.Dial(t)
		w.Write(t, d.Head("Transfer-Encoding: chunked", "Expect: 100-continue"), "\r\n")
		if a := w.MustRead(t); a.Status != http.StatusContinue {
			t.Fatalf("answered %d, not 100", a.Status)
		}
		w.Write(t, fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(d.Body), d.Body))
		w.MustRead(t).Rejected(t, "body_too_large")
	}
	if n := app.CountBody(d.Body); n != 0 {
		t.Error("it reached the application")
	}
}

// TestCurlAsks: curl itself sends "Expect: 100-continue" for bodies over 1 MiB,
// and here waits for the answer.
func TestCurlAsks(t *testing.T) {
	t.Parallel()
	harness.Needs(t, "curl")
	g, app := craneopsGateway(t, "body_timeout 1h")
	d := harness.CraneOps(strings.Repeat("0123456789abcdef", 2<<20/16))
	steps := []struct {
		name string
		sent harness.Delivery
		want func(*testing.T, harness.Answer)
	}{
		{"refused", d.Without("X-CraneOps-Signature"), func(t *testing.T, a harness.Answer) { a.Rejected(t, "missing_signature") }},
		{"forged", d.With("X-CraneOps-Signature", strings.Repeat("0", 64)), func(t *testing.T, a harness.Answer) { a.Rejected(t, "signature_mismatch") }},
		{"accepted", d, accepted},
		{"duplicate", d, duplicate},
	}
	for _, s := range steps {
		t.Run(s.name, func(t *testing.T) {
			a, err := harness.SendCurlAsking(t, g, s.sent)
			if err != nil {
				t.Fatal(err)
			}
			s.want(t, a)
		})
	}
	app.Saw(t, 1)
}
