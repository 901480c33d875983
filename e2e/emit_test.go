package e2e

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/hooklatch/hooklatch/e2e/internal/harness"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The secrets of sign_upstream. They are canaries too.
const (
	newSigningSecret = "whsec_ZTJlLWNhbmFyeS1zaWduaW5nLW5ldy0zZjE5YTdjMGQ1"
	oldSigningSecret = "whsec_ZTJlLWNhbmFyeS1zaWduaW5nLW9sZC04YjQyZTZkMDkx"
)

func signingSecrets() []string {
	return append(harness.Secrets(), "UPSTREAM_NEW_SECRET="+newSigningSecret, "UPSTREAM_OLD_SECRET="+oldSigningSecret)
}

const signUpstream = "sign_upstream {env.UPSTREAM_NEW_SECRET} {env.UPSTREAM_OLD_SECRET}"

// receivedRequest rebuilds the request from a Received.
func receivedRequest(r harness.Received) *http.Request {
	return &http.Request{Method: r.Method, Header: r.Header, Body: io.NopCloser(bytes.NewReader(r.Body)), ContentLength: int64(len(r.Body))}
}

// TestCloudEventsSDK: the official library reads the application's request as a
// valid event, whose data is the body byte for byte.
func TestCloudEventsSDK(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	var routes []string
	for _, p := range harness.Providers() {
		routes = append(routes, harness.Hook("/"+p.Name, p.Name, app.Addr, "emit cloudevents"))
	}
	g := harness.Start(t, harness.OpenSite(routes...), harness.Secrets()...)
	for name, c := range map[string]struct {
		d                  harness.Delivery
		kind               string // as in the header; the library does not decode it
		occurred           time.Time
		isTime, approached bool
	}{
		"easytools": {
			d: harness.Easytools(exampleBodies["easytools"].body), kind: "subscription_created",
			occurred: time.Date(2025, 3, 8, 14, 1, 58, 0, time.UTC), isTime: true,
		},
		"mceasy":   {d: harness.McEasy(exampleBodies["mceasy"].body, time.Now(), "6", "48213"), kind: "alarm.harsh_braking", isTime: true, approached: true},
		"cryptr":   {d: harness.Cryptr(cryptrEvent("Straße 100%"), time.Now()), kind: "Stra%C3%9Fe%20100%25", isTime: true, approached: true},
		"craneops": {d: harness.CraneOps(`{"supplier":"approved"}`), kind: "webhook.delivery"},
	} {
		t.Run(name, func(t *testing.T) {
			forged := c.d.Plus("ce-subject", marker).Plus("CE-Type", marker).Plus("ce-id", marker)
			g.Send(t, forged).Accepted(t)
			got := app.With(c.d.Path)
			if len(got) != 1 {
				t.Fatalf("%d requests", len(got))
			}
			got[0].Carries(t, c.d)
			genuine(t, got[0])
			e, err := cehttp.NewEventFromHTTPRequest(receivedRequest(got[0]))
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
			if e.Source() != "urn:webhook:"+name || e.Type() != c.kind || !strings.HasPrefix(e.ID(), "sha256-") || e.Subject() != "" || e.SpecVersion() != event.CloudEventsVersionV1 {
				t.Errorf("event %s", e)
			}
			switch at := e.Time(); {
			case !c.isTime && !at.IsZero(),
				c.isTime && c.approached && time.Since(at).Abs() > time.Minute,
				c.isTime && !c.approached && !at.Equal(c.occurred):
				t.Errorf("time %v", at)
			}
			if !bytes.Equal(e.Data(), c.d.Body) {
				t.Errorf("data %.80q", e.Data())
			}
		})
	}
}

// TestStandardWebhooksLibraries: applications with the official libraries
// accept only requests that the gateway signed, with the new or the old secret.
func TestStandardWebhooksLibraries(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T, secret string) string{
		"go": startGoReceiver, "node": startReceiver,
	} {
		for which, secret := range map[string]string{"new": newSigningSecret, "old": oldSigningSecret} {
			t.Run(name+"/"+which, func(t *testing.T) {
				t.Parallel()
				useReceiver(t, start(t, secret))
			})
		}
	}
}

func useReceiver(t *testing.T, addr string) {
	// The receiver's own answer shows that it refused, and not the gateway.
	g := harness.Start(t, harness.BareSite(
		harness.Hook("/signed", "cryptr", addr, signUpstream),
		harness.Hook("/craneops", "craneops", addr, signUpstream, "emit none"),
		harness.Hook("/unsigned", "craneops", addr, "provider unsigned"),
		harness.Route("/past", "reverse_proxy "+addr),
	), signingSecrets()...)
	signed := harness.Cryptr(`{"text":"Grüße"}`, time.Now()).To("/signed?a=1")
	for _, d := range []harness.Delivery{signed, harness.CraneOps(`{"emit":"none"}`)} {
		forged := d.Plus("Webhook-Signature", "v1,"+marker).Plus("webhook-id", marker).Plus("Webhook-Timestamp", "1")
		if a := g.Send(t, forged); a.Status != http.StatusNoContent {
			t.Errorf("%s: %d %s", d.Path, a.Status, a.Header.Get("X-Receiver"))
		}
	}
	// The application refuses requests that the gateway did not sign.
	for _, d := range []harness.Delivery{harness.CraneOps(`{}`).To("/unsigned"), harness.CraneOps(`{}`).To("/past")} {
		if a := g.Send(t, d); a.Status != http.StatusUnauthorized || a.Header.Get("X-Receiver") == "" {
			t.Errorf("%s: %d", d.Path, a.Status)
		}
	}
}

// startGoReceiver starts the application with the library for Go.
func startGoReceiver(t *testing.T, secret string) string {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	app := harness.NewApplication(t)
	app.Answers(func(w http.ResponseWriter, r *http.Request) {
		all := app.All()
		if err := webhook.Verify(all[len(all)-1].Body, r.Header); err != nil {
			w.Header().Set("X-Receiver", err.Error())
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return app.Addr
}
