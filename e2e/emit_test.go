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
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The secrets of sign_upstream; the values are looked for in the log too.
const (
	newSigningSecret = "whsec_ZTJlLWNhbmFyeS1zaWduaW5nLW5ldy0zZjE5YTdjMGQ1"
	oldSigningSecret = "whsec_ZTJlLWNhbmFyeS1zaWduaW5nLW9sZC04YjQyZTZkMDkx"
)

func signingSecrets() []string {
	return append(secrets(), "UPSTREAM_NEW_SECRET="+newSigningSecret, "UPSTREAM_OLD_SECRET="+oldSigningSecret)
}

const signUpstream = "sign_upstream {env.UPSTREAM_NEW_SECRET} {env.UPSTREAM_OLD_SECRET}"

// receivedRequest makes of what was received the request that it was.
func receivedRequest(r received) *http.Request {
	return &http.Request{Method: r.method, Header: r.header, Body: io.NopCloser(bytes.NewReader(r.body)), ContentLength: int64(len(r.body))}
}

// TestCloudEventsSDK: the official library takes what the application receives
// for a valid event, whose data are the body byte for byte.
func TestCloudEventsSDK(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	var routes []string
	for _, p := range providers() {
		routes = append(routes, hook("/"+p.name, p.name, app.addr, "emit cloudevents"))
	}
	g := start(t, openSite(routes...), secrets()...)
	for name, c := range map[string]struct {
		d                  delivery
		kind               string // as in the header; the library does not decode it
		occurred           time.Time
		isTime, approached bool
	}{
		"easytools": {
			d: easytools(exampleBodies["easytools"].body), kind: "subscription_created",
			occurred: time.Date(2025, 3, 8, 14, 1, 58, 0, time.UTC), isTime: true,
		},
		"mceasy":   {d: mceasy(exampleBodies["mceasy"].body, time.Now(), "6", "48213"), kind: "alarm.harsh_braking", isTime: true, approached: true},
		"cryptr":   {d: cryptr(cryptrEvent("Straße 100%"), time.Now()), kind: "Stra%C3%9Fe%20100%25", isTime: true, approached: true},
		"craneops": {d: craneops(`{"supplier":"approved"}`), kind: "webhook.delivery"},
	} {
		t.Run(name, func(t *testing.T) {
			forged := c.d.plus("ce-subject", marker).plus("CE-Type", marker).plus("ce-id", marker)
			g.send(t, forged).accepted(t)
			got := app.with(c.d.path)
			if len(got) != 1 {
				t.Fatalf("%d requests", len(got))
			}
			got[0].carries(t, c.d)
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
			if !bytes.Equal(e.Data(), c.d.body) {
				t.Errorf("data %.80q", e.Data())
			}
		})
	}
}

// TestStandardWebhooksLibraries: applications that use the official libraries
// take what the gateway signed, under the new secret and under the old one, and
// nothing else.
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
	// The receiver's own answer shows who refused.
	g := start(t, bareSite(
		hook("/signed", "cryptr", addr, signUpstream),
		hook("/craneops", "craneops", addr, signUpstream, "emit none"),
		hook("/unsigned", "craneops", addr, "provider unsigned"),
		route("/past", "reverse_proxy "+addr),
	), signingSecrets()...)
	signed := cryptr(`{"text":"Grüße"}`, time.Now()).to("/signed?a=1")
	for _, d := range []delivery{signed, craneops(`{"emit":"none"}`)} {
		forged := d.plus("Webhook-Signature", "v1,"+marker).plus("webhook-id", marker).plus("Webhook-Timestamp", "1")
		if a := g.send(t, forged); a.status != http.StatusNoContent {
			t.Errorf("%s: %d %s", d.path, a.status, a.header.Get("X-Receiver"))
		}
	}
	// What is not signed by the gateway, the application refuses.
	for _, d := range []delivery{craneops(`{}`).to("/unsigned"), craneops(`{}`).to("/past")} {
		if a := g.send(t, d); a.status != http.StatusUnauthorized || a.header.Get("X-Receiver") == "" {
			t.Errorf("%s: %d", d.path, a.status)
		}
	}
}

// startGoReceiver is the application with the library for Go.
func startGoReceiver(t *testing.T, secret string) string {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	app := newApplication(t)
	app.answers(func(w http.ResponseWriter, r *http.Request) {
		all := app.all()
		if err := webhook.Verify(all[len(all)-1].body, r.Header); err != nil {
			w.Header().Set("X-Receiver", err.Error())
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return app.addr
}
