//go:build !race

// The race detector makes sync.Pool drop values at random, so allocations are
// counted without it.

package schemes

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// TestVerifyAllocatesNothing: verifying a delivery, authentic or forged,
// allocates nothing. It leaves out public keys, for which the standard library
// allocates.
func TestVerifyAllocatesNothing(t *testing.T) {
	body := []byte("{" + strings.Repeat("x", 2048))
	all := All()
	for i, definition := range fuzzed {
		s := mustCompile(t, definition)
		s = engine.Derive(s, func(own *Implementation) { own.Name = fmt.Sprint("defined ", i) })
		samples[s.Name()] = sample{out: fuzzedSample(s)}
		all = append(all, s)
	}
	for _, s := range all {
		secrets := sampleOf(s).secrets
		if sampleOf(s).signing != secrets[0] {
			continue // a public key verifies
		}
		r := requestOf(s, signSample(t, s, body, time.Unix(1e9, 0)), body)
		for _, configured := range [][]string{secrets[:1], {secrets[1], secrets[0]}, secrets[1:2]} {
			v, _ := s.NewVerifier(configured)
			run := func(r Request) {
				if d, err := v.Begin(r); err == nil {
					d.Write(body)
					d.Authenticate()
					d.Close()
				}
			}
			run(r)
			if n := testing.AllocsPerRun(100, func() { run(r) }); n != 0 {
				t.Errorf("%s %s with %d secrets: %v allocations", s.Name(), s.SignedBytes(), len(configured), n)
			}
			missing := requestOf(s, http.Header{}, body)
			if n := testing.AllocsPerRun(100, func() { run(missing) }); n != 0 {
				t.Errorf("%s, refused: %v allocations", s.Name(), n)
			}
		}
	}
}

// TestTwilioFormAllocatesNothing does the same for forms, whose fields are
// sorted.
func TestTwilioFormAllocatesNothing(t *testing.T) {
	twilio := mustGet(t, "twilio")
	body := []byte("To=%2B18005551212&From=%2B14158675309&Digits=1234&Body=Zo%C3%AB+%26+co&Empty=")
	r := Request{Scheme: "https", Host: "hooks.example.com", URI: "/twilio"}
	h, err := twilio.SignWith("token", Delivery{Body: body, Request: r})
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h
	for _, secrets := range [][]string{{"token"}, {"other", "token"}, {"other"}} {
		v, err := twilio.NewVerifier(secrets)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() {
			if d, err := v.Begin(r); err == nil {
				d.Write(body)
				d.Authenticate()
				d.Close()
			}
		}); n != 0 {
			t.Errorf("%d secrets: %v allocations", len(secrets), n)
		}
	}
}
