package module

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestPercentEncoding checks the example of the HTTP binding, section 3.1.3.2.
func TestPercentEncoding(t *testing.T) {
	for value, want := range map[string]string{
		"Euro € 😀":                  "Euro%20%E2%82%AC%20%F0%9F%98%80",
		"plain.type/1:2?a=b&c#d+e~": "plain.type/1:2?a=b&c#d+e~",
		`100% "x"`:                  "100%25%20%22x%22",
		"":                          "",
	} {
		if got := percentEncoded(value); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

// beginning returns the headers whose names begin with a prefix.
func beginning(h http.Header, prefix string) map[string]string {
	found := map[string]string{}
	for name, values := range h {
		if strings.HasPrefix(name, prefix) {
			found[name] = strings.Join(values, "|")
		}
	}
	return found
}

func TestCloudEvent(t *testing.T) {
	const dated = `{"code":"Zahlung für 5 €","issued_at":"2023-06-06T10:49:33.075265+02:00"}`
	at := testTime.Add(-time.Second)
	for _, c := range []struct {
		name, scheme string
		header       http.Header
		body         string
		want         map[string]string
	}{
		{"event and time of the body", "cryptr", cryptr(at, dated), dated, map[string]string{
			"Ce-Type": "Zahlung%20f%C3%BCr%205%20%E2%82%AC", "Ce-Time": "2023-06-06T08:49:33.075265Z",
		}},
		{"the send time", "mceasy", mceasy(at, "10", "", "{}"), "{}", map[string]string{
			"Ce-Type": "10", "Ce-Time": "2026-01-02T03:04:04.678Z",
		}},
		{"nothing signed", "craneops", with(craneops("not json"), "X-Craneops-Event", "unsigned"), "not json", map[string]string{
			"Ce-Type": "webhook.delivery",
		}},
		{"what does not fit", "craneops", craneops(`{"event":"a\nb"}`), `{"event":"a\nb"}`, map[string]string{
			"Ce-Type": "webhook.delivery",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGateway(t, map[string]any{"scheme": c.scheme, "emit": []string{"cloudevents"}}, nil)
			forged := with(c.header, "Ce-Subject", "forged", "ce-Id", "forged", "Ce", "kept", "Cex", "kept", "Webhook-Id", "forged")
			expect(t, g.send(t, forged, c.body), http.StatusNoContent, "")
			g.expectDelivered(t, c.body)
			got := g.delivered()[0].header
			if !strings.HasPrefix(got.Get("Ce-Id"), "sha256-") {
				t.Errorf("id %q", got.Get("Ce-Id"))
			}
			c.want["Ce-Id"], c.want["Ce-Specversion"], c.want["Ce-Source"] = got.Get("Ce-Id"), "1.0", "urn:webhook:"+g.handler.Provider
			if found := beginning(got, "Ce-"); !maps.Equal(found, c.want) {
				t.Errorf("%v, want %v", found, c.want)
			}
			if got.Get("Ce") != "kept" || got.Get("Cex") != "kept" || len(beginning(got, "Webhook-")) > 0 {
				t.Errorf("headers %v", got)
			}
		})
	}
}

func TestEmit(t *testing.T) {
	for _, c := range []struct {
		emit                 []string
		webhook, cloudEvents bool
	}{
		{nil, true, false},
		{[]string{"webhook"}, true, false},
		{[]string{"cloudevents", "webhook"}, true, true},
		{[]string{"none"}, false, false},
	} {
		t.Run(strings.Join(c.emit, " "), func(t *testing.T) {
			g := newGateway(t, map[string]any{"emit": c.emit}, nil)
			expect(t, g.send(t, with(craneops(body), "Webhook-Forged", "1", "Ce-Sender", "own"), body), http.StatusNoContent, "")
			got := g.delivered()[0].header
			if found := got.Get("Webhook-Verdict") == "accepted"; found != c.webhook || got.Get("Webhook-Forged") != "" {
				t.Errorf("headers %v", got)
			}
			// Without cloudevents these names belong to the sender.
			if found := got.Get("Ce-Id") != ""; found != c.cloudEvents || (got.Get("Ce-Sender") == "") != c.cloudEvents {
				t.Errorf("headers %v", got)
			}
		})
	}
}

// TestRefusedIsNoCloudEvent checks that the sender's attributes do not reach
// handle_errors.
func TestRefusedIsNoCloudEvent(t *testing.T) {
	g := newGateway(t, map[string]any{"emit": []string{"cloudevents"}}, nil)
	var left http.Header
	r := requestOf(g.request(t, with(craneops("other"), "Ce-Type", "forged"), strings.NewReader(body)))
	err := g.handler.ServeHTTP(&nothing{http.Header{}}, r, nil)
	left = r.Header
	if statusOf(err) != http.StatusUnauthorized || len(beginning(left, "Ce-")) > 0 {
		t.Errorf("%v %v", err, left)
	}
}

const goodSigningKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// TestSigner checks the known answer of the reference libraries:
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

// TestSignUpstream checks that each secret signs id, the gateway's time and the
// body, and that the sender's own headers of these names are gone.
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

// TestSignUpstreamUnderAnIDWithADot checks an id with a dot. Standard Webhooks
// puts dots between id, time and body, so no id may contain one.
func TestSignUpstreamUnderAnIDWithADot(t *testing.T) {
	for id, want := range map[string]string{"evt_1": "evt_1", "evt.1": "sha256-"} {
		body := `{"id":"` + id + `"}`
		g := newGateway(t, map[string]any{"scheme": "stripe", "secrets": []string{"k"}, "sign_upstream": []string{goodSigningKey}}, nil)
		at := formatSeconds(testTime)
		signature := fmt.Sprintf("t=%s,v1=%x", at, macUnder([]byte("k"), at, ".", body))
		expect(t, g.send(t, http.Header{"Stripe-Signature": {signature}}, body), http.StatusNoContent, "")
		if got := g.delivered()[0].header.Get("Webhook-Id"); !strings.HasPrefix(got, want) {
			t.Errorf("%s is signed as %s", id, got)
		}
	}
}

// TestUnsignedWithoutSignUpstream checks that without the option, no header
// looks like a signature.
func TestUnsignedWithoutSignUpstream(t *testing.T) {
	g := newGateway(t, nil, nil)
	expect(t, g.send(t, with(craneops(body), "Webhook-Signature", "v1,forged", "Webhook-Timestamp", "1"), body), http.StatusNoContent, "")
	if h := g.delivered()[0].header; h.Get("Webhook-Signature") != "" || h.Get("Webhook-Timestamp") != "" {
		t.Errorf("headers %v", h)
	}
}
