package module

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"
)

const goodSigningKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// TestSigner has the known answer of the reference libraries:
// github.com/standard-webhooks/standard-webhooks, libraries/python/tests.
func TestSigner(t *testing.T) {
	s, err := newSigner([]string{goodSigningKey})
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	s.sign(h, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 999e6), []byte(`{"test": 2432232314}`))
	if got := h.Get("Webhook-Signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" ||
		h.Get("Webhook-Timestamp") != "1614265330" || h.Get("Webhook-Id") != "msg_p5jXN8AQM9LWM0D4loKWxJek" {
		t.Errorf("%v", h)
	}
}

func TestSigningKeys(t *testing.T) {
	of := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for secret, good := range map[string]bool{
		"whsec_" + of(24): true, "whsec_" + of(32): true, "whsec_" + of(64): true,
		"whsec_" + of(23): false, "whsec_" + of(65): false, "whsec_": false,
		of(32): false, "WHSEC_" + of(32): false, "whsec_" + of(32) + "\n": false,
		"whsec_" + strings.TrimRight(of(25), "="): false, // no padding
		"whsec_" + strings.Repeat("_", 32):        false, // the other alphabet
		"whpk_" + of(32):                          false,
	} {
		if _, err := signingKey(secret); (err == nil) != good {
			t.Errorf("%q: %v", secret, err)
		}
	}
}

// TestSignUpstream: each secret signs id, the gateway's time and the body, and
// what the sender wrote in the place of it is gone.
func TestSignUpstream(t *testing.T) {
	second := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	for _, emit := range []string{"webhook", "cloudevents", "none"} {
		t.Run(emit, func(t *testing.T) {
			g := newGateway(t, map[string]any{"scheme": "cryptr", "sign_upstream": []string{goodSigningKey, second}, "emit": []string{emit}}, nil)
			sent := with(cryptr(testTime.Add(-time.Minute), body), "Webhook-Signature", "v1,forged", "Webhook-Timestamp", "1", "Webhook-Id", "forged")
			expect(t, g.send(t, sent, body), http.StatusNoContent, "")
			g.expectDelivered(t, body)
			h := g.delivered()[0].header
			id := h.Get("Webhook-Id")
			if !strings.HasPrefix(id, "sha256-") || h.Get("Webhook-Timestamp") != formatSeconds(testTime) {
				t.Errorf("headers %v", h)
			}
			var want []string
			for _, secret := range []string{goodSigningKey, second} {
				key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, "v1,"+base64.StdEncoding.EncodeToString(macUnder(key, id, ".", formatSeconds(testTime), ".", body)))
			}
			if got := h["Webhook-Signature"]; len(got) != 1 || got[0] != strings.Join(want, " ") {
				t.Errorf("%v, want %v", got, want)
			}
			if verdict := h.Get("Webhook-Verdict"); (verdict == "accepted") != (emit == "webhook") {
				t.Errorf("verdict %q", verdict)
			}
		})
	}
}

// TestUnsignedWithoutSignUpstream: nothing but what was configured looks like a
// signature.
func TestUnsignedWithoutSignUpstream(t *testing.T) {
	g := newGateway(t, nil, nil)
	expect(t, g.send(t, with(craneops(body), "Webhook-Signature", "v1,forged", "Webhook-Timestamp", "1"), body), http.StatusNoContent, "")
	if h := g.delivered()[0].header; h.Get("Webhook-Signature") != "" || h.Get("Webhook-Timestamp") != "" {
		t.Errorf("headers %v", h)
	}
}
