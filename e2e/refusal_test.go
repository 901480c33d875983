package e2e

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// allProviders is one route for each of the four.
func allProviders(t *testing.T, options ...string) (*gateway, *application) {
	t.Helper()
	app := newApplication(t)
	var routes []string
	for _, p := range providers() {
		routes = append(routes, hook("/"+p.name, p.name, app.addr, options...))
	}
	return start(t, openSite(routes...), secrets()...), app
}

// TestHostileHeaders sends what a provider would not, and nothing of it gets
// through. On the wire as written: clients would tidy it up.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	g, app := allProviders(t, "replay off")
	for _, p := range providers() {
		d := p.deliver(`{"hostile":"headers"}`)
		signature := d.get(p.signature)
		cases := []struct {
			name   string
			sent   delivery
			reason string
		}{
			{"repeated", d.plus(p.signature, signature), "malformed_signature"},
			{"repeated in other case", d.plus(strings.ToUpper(p.signature), signature), "malformed_signature"},
			{"repeated empty", d.plus(p.signature, ""), "malformed_signature"},
			{"missing", d.without(p.signature), "missing_signature"},
			{"empty", d.with(p.signature, ""), "missing_signature"},
			{"blank", d.with(p.signature, "  \t "), "missing_signature"},
			{"8 KiB", d.with(p.signature, strings.Repeat("a", 8<<10)), "malformed_signature"},
			{"8 KiB around it", d.with(p.signature, signature+strings.Repeat(",", 8<<10)), "malformed_signature"},
			{"non-ASCII", d.with(p.signature, strings.Repeat("ż", 32)), "malformed_signature"},
			{"non-ASCII after it", d.with(p.signature, signature+"\u00a0"), "malformed_signature"},
			{"not UTF-8", d.with(p.signature, "\xff\xfe"+signature), "malformed_signature"},
			{"two in one", d.with(p.signature, signature+", "+signature), "malformed_signature"},
		}
		for _, name := range p.signed {
			cases = append(cases, []struct {
				name   string
				sent   delivery
				reason string
			}{
				{name + " repeated", d.plus(name, d.get(name)), "malformed_signed_header"},
				{name + " missing", d.without(name), "missing_signed_header"},
				{name + " with a sign", d.with(name, "+"+d.get(name)), "malformed_signed_header"},
				{name + " 8 KiB", d.with(name, strings.Repeat("1", 8<<10)), "malformed_signed_header"},
				{name + " in other digits", d.with(name, "\u0661\u0662"), "malformed_signed_header"},
			}...)
		}
		for _, c := range cases {
			t.Run(p.name+"/"+c.name, func(t *testing.T) { g.exchange(t, c.sent.whole()).rejected(t, c.reason) })
		}
		t.Run(p.name+"/untouched", func(t *testing.T) { g.exchange(t, d.whole()).accepted(t) })
	}
	app.saw(t, len(providers()))
}

// TestMethods: only the methods that are configured, and the answer names them.
func TestMethods(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(
		hook("/craneops", "craneops", app.addr),
		hook("/both", "craneops", app.addr, "provider both", "methods POST PUT"),
	), secrets()...)
	cases := []struct{ method, path, allow string }{
		{http.MethodGet, "/craneops", "POST"},
		{http.MethodPut, "/craneops", "POST"},
		{http.MethodDelete, "/craneops", "POST"},
		{"post", "/craneops", "POST"},
		{http.MethodGet, "/both", "POST, PUT"},
	}
	for _, c := range cases {
		t.Run(c.method+c.path, func(t *testing.T) {
			a := g.exchange(t, craneops(`{}`).to(c.path).by(c.method).whole())
			a.rejected(t, "method_not_allowed")
			if got := a.header.Get("Allow"); got != c.allow {
				t.Errorf("Allow is %q, not %q", got, c.allow)
			}
		})
	}
	app.saw(t, 0)
	g.send(t, craneops(`{}`).to("/both").by(http.MethodPut)).accepted(t)
	app.saw(t, 1)
}

// TestSilentRefusals: by default a sender learns nothing from a 401.
func TestSilentRefusals(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, bareSite(hook("/cryptr", "cryptr", app.addr), hook("/craneops", "craneops", app.addr), "respond 404"), secrets()...)
	good := cryptr(`{}`, time.Now())
	crane := craneops(`{}`)
	refused := map[string]delivery{
		"missing":      good.without("Cryptr-Signature"),
		"malformed":    good.with("Cryptr-Signature", "t=1"),
		"mismatch":     good.saying([]byte("{ }")),
		"stale":        cryptr(`{}`, time.Now().Add(-time.Hour)),
		"future":       cryptr(`{}`, time.Now().Add(time.Hour)),
		"other scheme": crane.with("X-CraneOps-Signature", strings.Repeat("0", 64)),
	}
	var answers []answer
	for _, name := range slices.Sorted(maps.Keys(refused)) {
		t.Run(name, func(t *testing.T) {
			a := g.send(t, refused[name])
			if a.status != http.StatusUnauthorized || len(a.body) != 0 {
				t.Errorf("answered %d %q, not an empty 401", a.status, a.body)
			}
			a.header.Del("Date")
			answers = append(answers, a)
		})
	}
	for _, a := range answers {
		if !maps.EqualFunc(a.header, answers[0].header, slices.Equal) {
			t.Errorf("two refusals can be told apart: %v and %v", a.header, answers[0].header)
		}
	}
	app.saw(t, 0)
	if a := g.send(t, crane); a.status != http.StatusOK {
		t.Errorf("a valid one is answered %d", a.status)
	}
	if a := g.send(t, crane); a.status != http.StatusOK || len(a.body) != 0 {
		t.Errorf("a duplicate is answered %d %q, not an empty 200", a.status, a.body)
	}
}

// TestNoSecretIsLogged: start looks for the secrets in every gateway's log; the
// MAC that a forgery should have had, and the payload, must not be there either.
func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	g, app := craneopsGateway(t)
	body := `{"payload":"canary-of-the-payload"}`
	forged := craneops(body).with("X-CraneOps-Signature", strings.Repeat("0", 64))
	g.send(t, forged).rejected(t, "signature_mismatch")
	g.log.await(t, "the refusal", func(e entry) bool { return e.text("e2e_reason") == "signature_mismatch" })
	for _, secret := range []string{hexMAC(craneopsSecret, body), "canary-of-the-payload"} {
		if strings.Contains(g.log.String(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
	app.saw(t, 0)
}

// TestLogs: what an operator finds of a delivery.
func TestLogs(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(hook("/cryptr", "cryptr", app.addr, "provider tenants")), secrets()...)
	fresh, old := cryptr(`{}`, time.Now()), cryptr(`{}`, time.Now().Add(-time.Hour))
	g.send(t, fresh).accepted(t)
	g.send(t, fresh).duplicate(t)
	g.send(t, old).rejected(t, "stale")
	g.send(t, fresh.saying([]byte("{ }"))).rejected(t, "signature_mismatch")
	id := contentID("tenants", `{}`)
	cases := []struct{ verdict, reason, id string }{
		{"accepted", "", id},
		{"duplicate", "duplicate", id},
		{"rejected", "stale", id},
		{"rejected", "signature_mismatch", ""},
	}
	for _, c := range cases {
		g.log.await(t, c.verdict+" "+c.reason, func(e entry) bool {
			return e.text("msg") == "handled request" && e.text("webhook_provider") == "tenants" &&
				e.text("webhook_verdict") == c.verdict && e.text("webhook_reason") == c.reason && e.text("webhook_id") == c.id
		})
	}
	g.log.await(t, "the age of what is authentic and old", func(e entry) bool {
		_, aged := e["age"]
		return aged && e.text("reason") == "stale"
	})
}

// TestWindow: the signed time against the clock.
func TestWindow(t *testing.T) {
	t.Parallel()
	app := newApplication(t)
	g := start(t, openSite(
		hook("/default", "cryptr", app.addr, "provider default", "replay off"),
		hook("/wide", "mceasy", app.addr, "provider wide", "tolerance 4h 1m", "replay off"),
		hook("/any", "mceasy", app.addr, "provider any", "tolerance off", "replay off"),
		hook("/body", "easytools", app.addr, "provider body", "tolerance 24h", "replay off"),
	), secrets()...)
	now := time.Now()
	at := func(path string, past time.Duration) delivery {
		if path == "/default" {
			return cryptr(`{}`, now.Add(-past)).to(path)
		}
		return mceasy(`{}`, now.Add(-past), "6", "1").to(path)
	}
	cases := []struct {
		name   string
		sent   delivery
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
		{"body time fresh", easytools(`{"timestamp":` + unix(now.Add(-23*time.Hour)) + `}`).to("/body"), ""},
		{"body time stale", easytools(`{"timestamp":` + unix(now.Add(-25*time.Hour)) + `}`).to("/body"), "stale"},
		{"body time missing", easytools(`{}`).to("/body"), "no_signed_time"},
		{"a forged old one is forged first", at("/default", time.Hour).saying([]byte("{ }")), "signature_mismatch"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if a := g.send(t, c.sent); c.reason == "" {
				a.accepted(t)
			} else {
				a.rejected(t, c.reason)
			}
		})
	}
	app.saw(t, 5)
}
