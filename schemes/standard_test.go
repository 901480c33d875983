package schemes

import (
	"net/http"
	"testing"
	"time"
)

// TestStandardTellsItsSignaturesApart: the secret alone decides which
// signatures it is tried on.
func TestStandardTellsItsSignaturesApart(t *testing.T) {
	s, _ := Get("standard")
	const (
		secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		public = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
		v1     = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
		v1a    = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
		other  = "v1a,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="
	)
	verify := func(signature string, change func(http.Header), secrets ...string) string {
		h := http.Header{"Webhook-Id": {"msg_p5jXN8AQM9LWM0D4loKWxJek"}, "Webhook-Timestamp": {"1614265330"}, "Webhook-Signature": {signature}}
		if change != nil {
			change(h)
		}
		_, err := verifyBy(t, s, secrets, Request{Header: h}, []byte(`{"test": 2432232314}`), time.Unix(1614265330, 0))
		return reasonOf(err)
	}
	for _, c := range []struct {
		name, signature string
		change          func(http.Header)
		secrets         []string
		want            string
	}{
		{"a signature of another kind", v1a, nil, []string{secret}, "malformed_signature"},
		{"one of a later version", "v2" + v1[2:], nil, []string{secret}, "malformed_signature"},
		{"the HMAC called v1a", "v1a" + v1[2:], nil, []string{public}, "malformed_signature"},
		{"the HMAC called v1a, and its secret", "v1a" + v1[2:], nil, []string{secret}, "malformed_signature"},
		{"another kind is not even read", v1 + " v1a,rubbish", nil, []string{secret}, ""},
		{"secrets of both kinds", v1a, nil, []string{secret, public}, ""},
		{"one of several", other + " " + v1a, nil, []string{public}, ""},
		{"as many as are tried", other + " " + other + " " + other + " " + v1a, nil, []string{public}, ""},
		{"too many to try", other + " " + other + " " + other + " " + other + " " + v1a, nil, []string{public}, "malformed_signature"},
		{"headers of both sets", v1, func(h http.Header) { h["Svix-Id"] = []string{"msg_other"} }, []string{secret}, "malformed_signature"},
		{"half of each set", v1, func(h http.Header) { h["Svix-Id"] = h["Webhook-Id"]; delete(h, "Webhook-Id") }, []string{secret}, "malformed_signature"},
		{"another id", v1, func(h http.Header) { h["Webhook-Id"] = []string{"msg_other"} }, []string{secret}, "signature_mismatch"},
		{"another time", v1, func(h http.Header) { h["Webhook-Timestamp"] = []string{"1614265331"} }, []string{secret}, "signature_mismatch"},
		{"an id with a dot", v1, func(h http.Header) { h["Webhook-Id"] = []string{"a.b"} }, []string{secret}, "malformed_signed_header"},
		{"no id", v1, func(h http.Header) { delete(h, "Webhook-Id") }, []string{secret}, "missing_signed_header"},
		{"no signature", "", nil, []string{secret}, "missing_signature"},
	} {
		if got := verify(c.signature, c.change, c.secrets...); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
