package e2e

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// allProviders starts a gateway with a route for each of the four providers.
func allProviders(t *testing.T, options ...string) (*harness.Gateway, *harness.Application) {
	t.Helper()
	app := harness.NewApplication(t)
	var routes []string
	for _, p := range harness.Providers() {
		routes = append(routes, harness.Hook("/"+p.Name, p.Name, app.Addr, options...))
	}
	return harness.Start(t, harness.OpenSite(routes...), harness.Secrets()...), app
}

// TestHostileHeaders sends requests that no provider would send; none gets
// through. They are written raw, because clients would correct them.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	g, app := allProviders(t, "replay off")
	for _, p := range harness.Providers() {
		d := p.Deliver(`{"hostile":"headers"}`)
		signature := d.Get(p.Signature)
		cases := []struct {
			name   string
			sent   harness.Delivery
			reason string
		}{
			{"repeated", d.Plus(p.Signature, signature), "malformed_signature"},
			{"repeated in other case", d.Plus(strings.ToUpper(p.Signature), signature), "malformed_signature"},
			{"repeated empty", d.Plus(p.Signature, ""), "malformed_signature"},
			{"missing", d.Without(p.Signature), "missing_signature"},
			{"empty", d.With(p.Signature, ""), "missing_signature"},
			{"blank", d.With(p.Signature, "  \t "), "missing_signature"},
			{"8 KiB", d.With(p.Signature, strings.Repeat("a", 8<<10)), "malformed_signature"},
			{"8 KiB around it", d.With(p.Signature, signature+strings.Repeat(",", 8<<10)), "malformed_signature"},
			{"non-ASCII", d.With(p.Signature, strings.Repeat("ż", 32)), "malformed_signature"},
			{"non-ASCII after it", d.With(p.Signature, signature+"\u00a0"), "malformed_signature"},
			{"not UTF-8", d.With(p.Signature, "\xff\xfe"+signature), "malformed_signature"},
			{"two in one", d.With(p.Signature, signature+", "+signature), "malformed_signature"},
		}
		for _, name := range p.Signed {
			cases = append(cases, []struct {
				name   string
				sent   harness.Delivery
				reason string
			}{
				{name + " repeated", d.Plus(name, d.Get(name)), "malformed_signed_header"},
				{name + " missing", d.Without(name), "missing_signed_header"},
				{name + " with a sign", d.With(name, "+"+d.Get(name)), "malformed_signed_header"},
				{name + " 8 KiB", d.With(name, strings.Repeat("1", 8<<10)), "malformed_signed_header"},
				{name + " in other digits", d.With(name, "\u0661\u0662"), "malformed_signed_header"},
			}...)
		}
		for _, c := range cases {
			t.Run(p.Name+"/"+c.name, func(t *testing.T) { g.Exchange(t, c.sent.Whole()).Rejected(t, c.reason) })
		}
		t.Run(p.Name+"/untouched", func(t *testing.T) { g.Exchange(t, d.Whole()).Accepted(t) })
	}
	app.Saw(t, len(harness.Providers()))
}

// TestMethods: only the configured methods are allowed, and the answer names
// them.
func TestMethods(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/craneops", "craneops", app.Addr),
		harness.Hook("/both", "craneops", app.Addr, "provider both", "methods POST PUT"),
	), harness.Secrets()...)
	cases := []struct{ method, path, allow string }{
		{http.MethodGet, "/craneops", "POST"},
		{http.MethodPut, "/craneops", "POST"},
		{http.MethodDelete, "/craneops", "POST"},
		{"post", "/craneops", "POST"},
		{http.MethodGet, "/both", "POST, PUT"},
	}
	for _, c := range cases {
		t.Run(c.method+c.path, func(t *testing.T) {
			a := g.Exchange(t, harness.CraneOps(`{}`).To(c.path).By(c.method).Whole())
			a.Rejected(t, "method_not_allowed")
			if got := a.Header.Get("Allow"); got != c.allow {
				t.Errorf("Allow is %q, not %q", got, c.allow)
			}
		})
	}
	app.Saw(t, 0)
	g.Send(t, harness.CraneOps(`{}`).To("/both").By(http.MethodPut)).Accepted(t)
	app.Saw(t, 1)
}

// TestSilentRefusals: by default a sender learns nothing from a 401.
func TestSilentRefusals(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.BareSite(harness.Hook("/cryptr", "cryptr", app.Addr), harness.Hook("/craneops", "craneops", app.Addr), "respond 404"), harness.Secrets()...)
	good := harness.Cryptr(`{}`, time.Now())
	crane := harness.CraneOps(`{}`)
	refused := map[string]harness.Delivery{
		"missing":      good.Without("Cryptr-Signature"),
		"malformed":    good.With("Cryptr-Signature", "t=1"),
		"mismatch":     good.Saying([]byte("{ }")),
		"stale":        harness.Cryptr(`{}`, time.Now().Add(-time.Hour)),
		"future":       harness.Cryptr(`{}`, time.Now().Add(time.Hour)),
		"other scheme": crane.With("X-CraneOps-Signature", strings.Repeat("0", 64)),
	}
	var answers []harness.Answer
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		t.Run(name, func(t *testing.T) {
			a := g.Send(t, refused[name])
			if a.Status != http.StatusUnauthorized || len(a.Body) != 0 {
				t.Errorf("answered %d %q, not an empty 401", a.Status, a.Body)
			}
			a.Header.Del("Date")
			answers = append(answers, a)
		})
	}
	for _, a := range answers {
		if !maps.EqualFunc(a.Header, answers[0].Header, slices.Equal) {
			t.Errorf("two refusals can be told apart: %v and %v", a.Header, answers[0].Header)
		}
	}
	app.Saw(t, 0)
	if a := g.Send(t, crane); a.Status != http.StatusOK {
		t.Errorf("a valid one is answered %d", a.Status)
	}
	if a := g.Send(t, crane); a.Status != http.StatusOK || len(a.Body) != 0 {
		t.Errorf("a duplicate is answered %d %q, not an empty 200", a.Status, a.Body)
	}
}

// TestNoSecretIsLogged: the log contains neither the MAC that a forgery should
// have had, nor the payload. The harness looks for the secrets in every log.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	body := `{"payload":"canary-of-the-payload"}`
	forged := harness.CraneOps(body).With("X-CraneOps-Signature", strings.Repeat("0", 64))
	g.Send(t, forged).Rejected(t, "signature_mismatch")
	g.Log.Await(t, "the refusal", func(e harness.Entry) bool { return e.Text("e2e_reason") == "signature_mismatch" })
	for _, secret := range []string{harness.HexMAC(harness.CraneOpsSecret, body), "canary-of-the-payload"} {
		if strings.Contains(g.Log.String(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
	app.Saw(t, 0)
}

// TestLogs checks the log fields of a delivery.
func TestLogs(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Hook("/cryptr", "cryptr", app.Addr, "provider tenants")), harness.Secrets()...)
	fresh, old := harness.Cryptr(`{}`, time.Now()), harness.Cryptr(`{}`, time.Now().Add(-time.Hour))
	g.Send(t, fresh).Accepted(t)
	g.Send(t, fresh).Duplicate(t)
	g.Send(t, old).Rejected(t, "stale")
	g.Send(t, fresh.Saying([]byte("{ }"))).Rejected(t, "signature_mismatch")
	id := contentID("tenants", `{}`)
	cases := []struct{ verdict, reason, id string }{
		{"accepted", "", id},
		{"duplicate", "duplicate", id},
		{"rejected", "stale", id},
		{"rejected", "signature_mismatch", ""},
	}
	for _, c := range cases {
		g.Log.Await(t, c.verdict+" "+c.reason, func(e harness.Entry) bool {
			return e.Text("msg") == "handled request" && e.Text("webhook_provider") == "tenants" &&
				e.Text("webhook_verdict") == c.verdict && e.Text("webhook_reason") == c.reason && e.Text("webhook_id") == c.id
		})
	}
	g.Log.Await(t, "the age of what is authentic and old", func(e harness.Entry) bool {
		_, aged := e["age"]
		return aged && e.Text("reason") == "stale"
	})
}

// TestWindow checks the signed time against the clock.
func TestWindow(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(
		harness.Hook("/default", "cryptr", app.Addr, "provider default", "replay off"),
		harness.Hook("/wide", "mceasy", app.Addr, "provider wide", "tolerance 4h 1m", "replay off"),
		harness.Hook("/any", "mceasy", app.Addr, "provider any", "tolerance off", "replay off"),
		harness.Hook("/body", "easytools", app.Addr, "provider body", "tolerance 24h", "replay off"),
	), harness.Secrets()...)
	now := time.Now()
	at := func(path string, past time.Duration) harness.Delivery {
		if path == "/default" {
			return harness.Cryptr(`{}`, now.Add(-past)).To(path)
		}
		return harness.McEasy(`{}`, now.Add(-past), "6", "1").To(path)
	}
	cases := []struct {
		name   string
		sent   harness.Delivery
		reason string
	}{
		{"default 4 minutes old", at("/default", 4*time.Minute), ""},
		{"default 6 minutes old", at("/default", 6*time.Minute), "stale"},
		{"default 4 minutes ahead", at("/default", -4*time.Minute), ""},
		{"default 6 minutes ahead", at("/default", -6*time.Minute), "future"},
		{"wide 3 hours old", at("/wide", 3*time.Hour), ""},
		{"wide 5 hours old", at("/wide", 5*time.Hour), "stale"},
		{"wide 2 minutes ahead", at("/wide", -2*time.Minute), "future"},
		{"off a year old", at("/any", 365*24*time.Hour), ""},
		{"body time fresh", harness.Easytools(`{"timestamp":` + harness.Unix(now.Add(-23*time.Hour)) + `}`).To("/body"), ""},
		{"body time stale", harness.Easytools(`{"timestamp":` + harness.Unix(now.Add(-25*time.Hour)) + `}`).To("/body"), "stale"},
		{"body time missing", harness.Easytools(`{}`).To("/body"), "no_signed_time"},
		{"a forged old one is forged first", at("/default", time.Hour).Saying([]byte("{ }")), "signature_mismatch"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if a := g.Send(t, c.sent); c.reason == "" {
				a.Accepted(t)
			} else {
				a.Rejected(t, c.reason)
			}
		})
	}
	app.Saw(t, 5)
}
