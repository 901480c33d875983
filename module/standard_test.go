package module

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

const (
	standardSecret = "whsec_" + standardKey
	standardKey    = "c3RhbmRhcmQgc3RhbmRhcmQgc3RhbmRhcmQg"
)

// standard signs as the specification says, without the schemes package.
func standard(prefix, id string, at time.Time, body string) http.Header {
	key, _ := base64.StdEncoding.DecodeString(standardKey)
	seconds := fmt.Sprint(at.Unix())
	return http.Header{
		prefix + "-Id": {id}, prefix + "-Timestamp": {seconds},
		prefix + "-Signature": {"v1," + base64.StdEncoding.EncodeToString(macUnder(key, id, ".", seconds, ".", body))},
	}
}

func newStandard(t *testing.T, provider string) *gateway {
	options := map[string]any{"scheme": "standard", "secrets": []string{standardSecret}}
	if provider != "" {
		options["provider"] = provider
	}
	return newGateway(t, options, nil)
}

// TestTheProvidersOwnWebhookHeaders checks that these headers are read, that
// they stay once verified and are removed in every other case, and that no
// others pass.
func TestTheProvidersOwnWebhookHeaders(t *testing.T) {
	const body = `{"type":"paid"}`
	g := newStandard(t, "")
	signed := standard("Webhook", "msg_1", testTime, body)
	forged := with(signed, "Webhook-Verdict", "forged", "Webhook-Tenant", "evil", "Webhook-Sent-At", "1999")
	forged["Webhook-ID"] = []string{"evil"} // Go's client sends it as it stands; it arrives as a second Webhook-Id
	expect(t, g.send(t, forged, body), http.StatusUnauthorized, "rejected malformed_signed_header")
	delete(forged, "Webhook-ID")
	forged["Webhook~Id"] = []string{"evil"}
	expect(t, g.send(t, forged, body), http.StatusNoContent, "")
	g.expectDelivered(t, body)
	h := g.delivered()[0].header
	for name, want := range map[string]string{
		"Webhook-Id": "msg_1", "Webhook-Timestamp": signed.Get("Webhook-Timestamp"), "Webhook-Signature": signed.Get("Webhook-Signature"),
		"Webhook-Verdict": "accepted", "Webhook-Event": "paid", "Webhook-Sent-At": "2026-01-02T03:04:05.000Z",
		"Webhook-Tenant": "", "Webhook~id": "",
	} {
		if got := strings.Join(h[name], ","); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}

	// Refused: handle_errors sees none of them.
	for want, header := range map[string]http.Header{
		"rejected signature_mismatch": with(signed, "Webhook-Id", "msg_2"),
		"rejected stale":              standard("Webhook", "msg_3", testTime.Add(-time.Hour), body),
		"rejected missing_signature":  {"Webhook-Id": {"msg_4"}},
	} {
		a := g.send(t, header, body)
		expect(t, a, http.StatusUnauthorized, want)
		if seen := a.header.Get("X-Signed-Id"); seen != "" {
			t.Errorf("%s: handle_errors saw Webhook-Id %q", want, seen)
		}
	}
	g.expectDelivered(t, body)
}

func TestSvixHeaders(t *testing.T) {
	g := newStandard(t, "")
	expect(t, g.send(t, standard("Svix", "msg_1", testTime, body), body), http.StatusNoContent, "")
	h := g.delivered()[0].header
	if h.Get("Svix-Id") != "msg_1" || h.Get("Webhook-Id") != "msg_1" || h.Get("Webhook-Signature") != "" {
		t.Errorf("headers %v", h)
	}
	mixed := standard("Svix", "msg_2", testTime, body)
	mixed["Webhook-Id"] = []string{"msg_3"}
	expect(t, g.send(t, mixed, body), http.StatusUnauthorized, "rejected malformed_signature")
}

// TestASignedIDIsTheIdentity checks that a retry may have a new signature and
// even another body, and that another id is another event.
func TestASignedIDIsTheIdentity(t *testing.T) {
	g := newStandard(t, "signed-id")
	expect(t, g.send(t, standard("Webhook", "msg_1", testTime, body), body), http.StatusNoContent, "")
	expect(t, g.send(t, standard("Webhook", "msg_1", testTime.Add(time.Minute), "{}"), "{}"), http.StatusOK, "")
	expect(t, g.send(t, standard("Webhook", "msg_2", testTime, body), body), http.StatusNoContent, "")
	g.expectDelivered(t, body, body)

	const path = "/verify_webhook/history/signed-id/"
	for _, c := range []struct {
		id     string
		status int
	}{{"msg_3", http.StatusNotFound}, {"msg_1", http.StatusNoContent}, {"msg_1", http.StatusNotFound}} {
		if status := g.forgetting(t, http.MethodDelete, path+c.id); status != c.status {
			t.Errorf("forgetting %s: %d, want %d", c.id, status, c.status)
		}
	}
	expect(t, g.send(t, standard("Webhook", "msg_1", testTime, body), body), http.StatusNoContent, "")
	expect(t, g.send(t, standard("Webhook", "msg_2", testTime, body), body), http.StatusOK, "")
	g.expectDelivered(t, body, body, body)
}

// TestAnIDInTheBody checks that an id in the body is the identity of the event,
// and that without one the content is.
func TestAnIDInTheBody(t *testing.T) {
	g := newGateway(t, map[string]any{"scheme": "stripe"}, nil)
	send := func(body string) answerOf {
		at := fmt.Sprint(testTime.Unix())
		mac := fmt.Sprintf("%x", macUnder([]byte(testSecret), at, ".", body))
		return g.send(t, http.Header{"Stripe-Signature": {"t=" + at + ",v1=" + mac}}, body)
	}
	expect(t, send(`{"id":"evt_1","n":1}`), http.StatusNoContent, "")
	expect(t, send(`{"id":"evt_1","n":2}`), http.StatusOK, "")
	expect(t, send(`{"n":1}`), http.StatusNoContent, "")
	expect(t, send(`{"n":2}`), http.StatusNoContent, "")
	expect(t, send(`{"n":2}`), http.StatusOK, "")
	g.expectDelivered(t, `{"id":"evt_1","n":1}`, `{"n":1}`, `{"n":2}`)
	if id := g.delivered()[0].header.Get("Webhook-Id"); id != "evt_1" {
		t.Errorf("Webhook-Id %q", id)
	}
	if id := g.delivered()[1].header.Get("Webhook-Id"); !strings.HasPrefix(id, "sha256-") {
		t.Errorf("Webhook-Id %q", id)
	}
}

func TestOwnNames(t *testing.T) {
	for name, c := range map[string]struct {
		scheme     schemes.Implementation
		read, stay string
	}{
		"none":       {schemes.Implementation{SignatureHeader: "X-Webhook-Signature"}, "", ""},
		"all three":  {schemes.Implementation{SignatureHeader: "Webhook-Signature", SignedHeaders: []string{"Webhook-Id", "Webhook-Timestamp"}}, "Webhook-Signature Webhook-Id Webhook-Timestamp", "Webhook-Signature Webhook-Id Webhook-Timestamp"},
		"as aliases": {schemes.Implementation{SignatureHeader: "X-S", AliasHeaders: []string{"Webhook-Signature"}}, "Webhook-Signature", "Webhook-Signature"},
		"unsigned":   {schemes.Implementation{SignatureHeader: "X-S", UnsignedHeaders: []string{"Webhook-Id", "Webhook-Event"}}, "Webhook-Id Webhook-Event", ""},
		"others":     {schemes.Implementation{SignatureHeader: "X-S", SignedHeaders: []string{"Webhook-Event"}}, "Webhook-Event", ""},
	} {
		read, stay := headerOptions{}.ownNames(inGo(t, c.scheme))
		if strings.Join(read, " ") != c.read || strings.Join(stay, " ") != c.stay {
			t.Errorf("%s: reads %q, and %q stay", name, read, stay)
		}
	}
}

// inGo returns a scheme written in Go that reads the given headers.
func inGo(t *testing.T, headers schemes.Implementation) schemes.Scheme {
	t.Helper()
	i := headers
	i.Name = "in_go"
	i.Keys = func(string) ([]schemes.Key, error) { return nil, nil }
	i.Begin = func(schemes.Request, *schemes.SignedHeaders) error { return nil }
	i.Read = func(*schemes.SignedHeaders, []byte) schemes.Event { return schemes.Event{} }
	i.Sign = func(schemes.Key, schemes.Delivery) (http.Header, error) { return nil, nil }
	s, err := i.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
