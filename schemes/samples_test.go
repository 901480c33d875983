package schemes

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// sample holds the secrets and the delivery that a scheme is tested with.
type sample struct {
	secrets [3]string // the last two sign nothing
	signing string    // the secret that signs; empty: the first
	out     Delivery  // the values for the provider's headers
}

// samples caches the samples of sampleOf, and holds those of schemes that need
// special ones.
var samples = map[string]sample{}

// secretSamples are secrets, by the form in which they are written.
var secretSamples = map[string][3]string{
	"text":   {"c2VjcmV0", "b3RoZXI=", "dGhpcmQ="},
	"base64": {"c2VjcmV0", "b3RoZXI=", "dGhpcmQ="},
	"hex":    {"736563726574", "6f74686572", "7468697264"},
	"whsec_": {
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"whsec_b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIu", "whsec_dGhpcmQgdGhpcmQgdGhpcmQgdGhpcmQg",
	},
}

// publicSample returns a sample for a scheme with public keys.
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

// sampleOf derives a sample from the scheme's properties, so that a new scheme
// needs no sample of its own.
func sampleOf(s Scheme) sample {
	found := samples[s.Name()]
	form, _, _ := strings.Cut(s.SecretForm(), " or ")
	algorithm, _, _ := strings.Cut(s.Description().Algorithm, " or ")
	switch {
	case found.secrets[0] != "":
		return found
	case algorithm == Ed25519.String() || algorithm == ECDSAP256.String():
		out := found.out
		found = publicSample(algorithm, form)
		found.out = out
	default:
		found.secrets = secretSamples[form]
		found.signing = found.secrets[0]
	}
	if _, given := samples[s.Name()]; !given {
		found.out = deliverySample(s, found.signing)
	}
	samples[s.Name()] = found
	return found
}

// deliverySample returns a delivery with only the values that the provider's
// headers need.
func deliverySample(s Scheme, secret string) Delivery {
	var request Request
	if s.SignsRequest() {
		request = Request{Method: http.MethodPost, Scheme: "https", Host: "hooks.example.com", URI: "/hook?a=b"}
	}
	for _, out := range []Delivery{{}, {ID: "msg_1"}, {Event: "6"}} {
		out.At, out.Request = time.Unix(1e9, 0), request
		if _, err := s.SignWith(secret, out); err == nil || signsText(s) {
			return out
		}
	}
	panic(s.Name() + ": none of these deliveries can be signed; add one that can")
}

// signsText reports whether a scheme has a SignedText.
func signsText(s Scheme) (does bool) {
	engine.Derive(s, func(i *Implementation) { does = i.SignedText != nil })
	return does
}

// signSample signs a body as the provider does.
func signSample(t testing.TB, s Scheme, body []byte, at time.Time) http.Header {
	t.Helper()
	with := sampleOf(s)
	with.out.Body, with.out.At = body, at
	with.out.Request.URI = uriOf(s, body)
	h, err := s.SignWith(with.signing, with.out)
	if err != nil {
		t.Fatalf("%s: %v", s.Name(), err)
	}
	return h
}

// requestOf returns the request that carries a sample.
func requestOf(s Scheme, h http.Header, body []byte) Request {
	r := sampleOf(s).out.Request
	r.URI = uriOf(s, body)
	r.Header = h
	return r
}

// uriOf returns the URI that a sample is sent to. Twilio's contains the digest
// of a body that is not a form.
func uriOf(s Scheme, body []byte) string {
	uri := sampleOf(s).out.Request.URI
	if s.Name() == "twilio" {
		digest := sha256.Sum256(body)
		uri += "&bodySHA256=" + hex.EncodeToString(digest[:])
	}
	return uri
}
