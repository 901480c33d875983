package schemes

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"testing"
	"time"
)

// sample is what a scheme is tested with, beside all others.
type sample struct {
	secrets [3]string // the last two sign nothing
	signing string    // the secret that signs; empty: the first
	out     Delivery  // what the provider's headers need
}

// samples has the schemes for which the sample of all others will not do.
var samples = map[string]sample{
	"mceasy": {out: Delivery{Event: "6"}},
	"standard": {
		secrets: [3]string{
			"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			"whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIu", "whsec_dGhpcmQgdGhpcmQgdGhpcmQgdGhpcmQg",
		},
		out: Delivery{ID: "msg_1"},
	},
	"gitlab": {
		secrets: [3]string{
			"whsec_Z2l0bGFiIGdpdGxhYiBnaXRsYWIgZ2l0bGFi",
			"whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIu", "whsec_dGhpcmQgdGhpcmQgdGhpcmQgdGhpcmQg",
		},
		out: Delivery{ID: "908a6d9e-45fd-46c8-97e6-c4f350f219dd"},
	},
	"square":   {out: Delivery{Request: Request{Scheme: "https", Host: "hooks.example.com", URI: "/square?a=b"}}},
	"twilio":   {out: Delivery{Request: Request{Scheme: "https", Host: "hooks.example.com", URI: "/twilio"}}},
	"discord":  publicSample("ed25519", keyHex),
	"sendgrid": publicSample("ecdsa-p256", keySPKI),
}

// publicSample is a sample of a scheme with public keys.
func publicSample(algorithm, form string) (s sample) {
	for i := range s.secrets {
		for _, k := range keyPairs(nil) {
			if k.algorithm == algorithm && k.form == form {
				s.secrets[i] = k.public
				if i == 0 {
					s.signing = k.private
				}
			}
		}
	}
	return s
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
	with.out.Request.URI = uriOf(s, body)
	h, err := s.SignWith(with.signing, with.out)
	if err != nil {
		t.Fatalf("%s: %v", s.Name, err)
	}
	return h
}

// requestOf is the request that a sample is sent with.
func requestOf(s *Scheme, h http.Header, body []byte) Request {
	r := sampleOf(s).out.Request
	r.URI = uriOf(s, body)
	r.Header = h
	return r
}

// uriOf is where a sample is sent to. Twilio's has the digest of a body that is
// no form.
func uriOf(s *Scheme, body []byte) string {
	uri := sampleOf(s).out.Request.URI
	if s.Name == twilio.Name {
		digest := sha256.Sum256(body)
		uri += "?bodySHA256=" + hex.EncodeToString(digest[:])
	}
	return uri
}
