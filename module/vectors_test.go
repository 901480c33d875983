package module

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
	"github.com/hooklatch/hooklatch/schemes/schemestest"
)

// TestEveryScheme sends a delivery of each scheme, twice, and then a tampered
// one: the first is forwarded, the second acknowledged unless the scheme's
// default is to keep no history, the third refused. The whole suite is sent in
// e2e.
func TestEveryScheme(t *testing.T) {
	vectors, err := schemestest.Read("../schemes/testdata")
	if err != nil {
		t.Fatal(err)
	}
	first := func(t *testing.T, scheme string, is func(schemestest.Vector) bool) schemestest.Vector {
		t.Helper()
		at := slices.IndexFunc(vectors, func(v schemestest.Vector) bool { return v.Scheme == scheme && is(v) })
		if at < 0 {
			t.Fatal("no such vector")
		}
		return vectors[at]
	}
	for _, scheme := range schemes.All() {
		if strings.HasPrefix(scheme.Name(), "test") {
			continue // another test's
		}
		t.Run(scheme.Name(), func(t *testing.T) {
			good := first(t, scheme.Name(), func(v schemestest.Vector) bool {
				return v.Kind == schemestest.Valid && v.Expect == schemestest.Accept && v.Source == ""
			})
			bad := first(t, scheme.Name(), func(v schemestest.Vector) bool {
				return v.Kind == schemestest.Tampered && v.Reason == string(schemes.SignatureMismatch)
			})
			g := vectorGateway(t, good)
			expect(t, g.sendVector(t, good), http.StatusNoContent, "")
			delivered := []string{string(good.Body)}
			if scheme.Defaults().Replay == schemes.ReplayOff {
				expect(t, g.sendVector(t, good), http.StatusNoContent, "")
				delivered = append(delivered, string(good.Body))
			} else {
				expect(t, g.sendVector(t, good), http.StatusOK, "")
			}
			expect(t, g.sendVector(t, bad), http.StatusUnauthorized, "rejected signature_mismatch")
			g.expectDelivered(t, delivered...)
			g.expectTold(t, scheme)
		})
	}
}

// vectorGateway returns a gateway with the secrets and the clock of a vector.
func vectorGateway(t *testing.T, v schemestest.Vector) *gateway {
	t.Helper()
	options := map[string]any{"scheme": v.Scheme, "secrets": v.Secrets}
	if v.Tolerance != "" {
		options["tolerance"] = map[string]any{"past": v.Tolerance}
	}
	if v.URL != "" {
		u, err := url.Parse(v.URL)
		if err != nil {
			t.Fatal(err)
		}
		options["public_url"] = u.Scheme + "://" + u.Host
	}
	g := newGateway(t, options, nil)
	g.handler.now = func() time.Time { return time.UnixMilli(v.At) }
	return g
}

func (g *gateway) sendVector(t *testing.T, v schemestest.Vector) answerOf {
	t.Helper()
	r := g.request(t, http.Header{}, bytes.NewReader(v.Body))
	r.Method = v.Method
	if v.URL != "" {
		u, err := url.Parse(v.URL)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
	}
	for _, h := range v.Headers {
		r.Header.Add(h[0], h[1])
	}
	return g.sendRequest(t, r)
}

// expectTold checks that the application got a header for everything that the
// scheme finds in a delivery.
func (g *gateway) expectTold(t *testing.T, scheme schemes.Scheme) {
	t.Helper()
	words := scheme.Description()
	got := g.delivered()[0].header
	for header, words := range map[string]string{
		"Webhook-Event": words.Event, "Webhook-Occurred-At": words.OccurredAt,
		"Webhook-Tenant": words.Tenant, "Webhook-Environment": words.Environment,
		"Webhook-Sent-At": headerTime(scheme), "Webhook-Id": scheme.Name(),
	} {
		if words != "" && !slices.Contains(tellsLess, scheme.Name()) && got.Get(header) == "" {
			t.Errorf("no %s: %s", header, words)
		}
	}
}

// tellsLess are the schemes whose first delivery in the suite lacks some of the
// values that the scheme can read.
var tellsLess = []string{
	"discord", "gitlab", "linear", "meta", "paddle", "slack", "square", "standard", "stripe", "zoom",
}

// headerTime returns the header of the signed send time, if the time is in the
// headers.
func headerTime(scheme schemes.Scheme) string {
	if scheme.Time() == schemes.TimeInHeaders {
		return scheme.Description().Time
	}
	return ""
}
