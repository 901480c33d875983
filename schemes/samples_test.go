package schemes

import (
	"net/http"
	"testing"
	"time"
)

// sample is what a scheme is tested with, beside all others.
type sample struct {
	secrets [3]string // the last two sign nothing
	signing string    // the secret that signs; empty: the first
	out     Outgoing  // what the provider's headers need
}

// samples has the schemes for which the sample of all others will not do.
var samples = map[string]sample{
	"mceasy": {out: Outgoing{Event: "6"}},
	"standard": {
		secrets: [3]string{
			"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			"whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIu", "whsec_dGhpcmQgdGhpcmQgdGhpcmQgdGhpcmQg",
		},
		out: Outgoing{ID: "msg_1"},
	},
}

func sampleOf(s *Scheme) sample {
	found := samples[s.Name]
	if found.secrets[0] == "" {
		found.secrets = [3]string{"c2VjcmV0", "b3RoZXI=", "dGhpcmQ="}
	}
	if found.signing == "" {
		found.signing = found.secrets[0]
	}
	return found
}

// signSample signs a body as the provider does.
func signSample(t testing.TB, s *Scheme, body []byte, at time.Time) http.Header {
	t.Helper()
	with := sampleOf(s)
	with.out.Body, with.out.At = body, at
	h, err := s.SignWith(with.signing, with.out)
	if err != nil {
		t.Fatalf("%s: %v", s.Name, err)
	}
	return h
}

// requestOf is the request that a sample is sent with.
func requestOf(s *Scheme, h http.Header) Request {
	r := sampleOf(s).out.Request
	r.Header = h
	return r
}
