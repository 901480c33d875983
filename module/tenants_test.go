package module

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/module/inbox"
	"github.com/hooklatch/hooklatch/schemes"
)

// tenantGateway is a gateway whose tenant is in the header X-Tenant, and the
// directory of its tenants' files.
func tenantGateway(t *testing.T, options map[string]any) (g *gateway, dir string) {
	t.Helper()
	dir = t.TempDir()
	all := map[string]any{"secrets": nil, "tenants": map[string]any{"dir": dir, "value": "{http.request.header.X-Tenant}"}}
	maps.Copy(all, options)
	return newGateway(t, all, nil), dir
}

func writeTenant(t *testing.T, dir, name, content string) {
	t.Helper()
	hidden := filepath.Join(dir, "."+name)
	if err := os.WriteFile(hidden, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// of is a delivery of a tenant, signed with a secret.
func of(tenant, secret, body string) http.Header {
	return http.Header{"X-Tenant": {tenant}, "X-Craneops-Signature": {hex.EncodeToString(macUnder([]byte(secret), body))}}
}

func TestTenants(t *testing.T) {
	g, dir := tenantGateway(t, nil)
	writeTenant(t, dir, "acme", "acme-new\nacme-old\n")
	writeTenant(t, dir, "globex", "globex-1\n")

	// The same bytes to two tenants are two deliveries, and each one's retry is a
	// duplicate.
	for _, c := range []struct {
		tenant, secret, key string
	}{{"acme", "acme-old", "2"}, {"globex", "globex-1", "1"}} {
		expect(t, g.send(t, of(c.tenant, c.secret, body), body), http.StatusNoContent, "")
		got := g.delivered()
		if last := got[len(got)-1]; last.body != body || last.header.Get("Webhook-Tenant") != c.tenant || last.header.Get("Webhook-Verdict") != "accepted" {
			t.Errorf("%s: the application got %v %q", c.tenant, last.header, last.body)
		}
		expect(t, g.send(t, of(c.tenant, c.secret, body), body), http.StatusOK, "")
	}
	if n := len(g.delivered()); n != 2 {
		t.Fatalf("%d deliveries arrived", n)
	}

	// Another tenant's secret is none.
	expect(t, g.send(t, of("acme", "globex-1", body), body), http.StatusUnauthorized, "rejected signature_mismatch")

	// New secrets, a new tenant and a removed one, without a reload.
	writeTenant(t, dir, "acme", "acme-newest\n")
	expect(t, g.send(t, of("acme", "acme-old", "other"), "other"), http.StatusUnauthorized, "rejected signature_mismatch")
	expect(t, g.send(t, of("acme", "acme-newest", "other"), "other"), http.StatusNoContent, "")
	writeTenant(t, dir, "umbrella", "umbrella-1\n")
	expect(t, g.send(t, of("umbrella", "umbrella-1", body), body), http.StatusNoContent, "")
	if err := os.Remove(filepath.Join(dir, "umbrella")); err != nil {
		t.Fatal(err)
	}
	expect(t, g.send(t, of("umbrella", "umbrella-1", "more"), "more"), http.StatusUnauthorized, "rejected unknown_tenant")
	if n := len(g.delivered()); n != 4 {
		t.Errorf("%d deliveries arrived", n)
	}
}

// TestUnknownTenant: what the sender reads does not say whether there is such a
// tenant, and the whole body is read. Other faults come first, as with a tenant.
func TestUnknownTenant(t *testing.T) {
	g, dir := tenantGateway(t, nil)
	writeTenant(t, dir, "acme", "s3cr3t")
	known := g.send(t, of("acme", "wrong", body), body)
	expect(t, known, http.StatusUnauthorized, "rejected signature_mismatch")
	for _, name := range []string{"nobody", "", "..", "../acme", "acme/", "ACME", ".acme", "acme\x00", "a b", strings.Repeat("a", 65), "ümlaut", "{http.request.header.X-Other}"} {
		header := of(name, "s3cr3t", body)
		header.Set("X-Other", "acme")
		if name == "acme\x00" {
			continue // no header can have it
		}
		got := g.send(t, header, body)
		expect(t, got, http.StatusUnauthorized, "rejected unknown_tenant")
		for _, h := range []string{"Retry-After", "Connection", "Www-Authenticate"} {
			if got.header.Get(h) != known.header.Get(h) {
				t.Errorf("%q: %s is %q, and %q for a tenant that there is", name, h, got.header.Get(h), known.header.Get(h))
			}
		}
	}
	expect(t, g.send(t, http.Header{"X-Tenant": {"nobody"}}, body), http.StatusUnauthorized, "rejected missing_signature")
	expect(t, g.send(t, http.Header{"X-Tenant": {"nobody"}, "X-Craneops-Signature": {"zz"}}, body), http.StatusUnauthorized, "rejected malformed_signature")
	if n := len(g.delivered()); n != 0 {
		t.Errorf("%d deliveries arrived", n)
	}
}

// TestTenantUnavailable: a file that gives no secret loses nothing. The sender
// comes again, and the log says which file it is and not what is in it.
func TestTenantUnavailable(t *testing.T) {
	g, dir := tenantGateway(t, nil)
	for name, content := range map[string]string{
		"empty": "", "comments": "# later\n", "variable": "{env.CANARY}", "shell": "$CANARY", "many": strings.Repeat("canary\n", 17),
	} {
		writeTenant(t, dir, name, content)
		got := g.send(t, of(name, "s3cr3t", body), body)
		expect(t, got, http.StatusServiceUnavailable, "rejected tenant_unavailable")
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", name)
		}
		logged := g.logs.TakeAll()
		text := fmt.Sprint(logged)
		if len(logged) == 0 || !strings.Contains(fmt.Sprint(logged[len(logged)-1].ContextMap()), filepath.Join(dir, name)) || strings.Contains(text, "canary") {
			t.Errorf("%s: logged %v", name, logged)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	expect(t, g.send(t, of("acme", "s3cr3t", body), body), http.StatusServiceUnavailable, "rejected tenant_unavailable")
	expect(t, g.send(t, http.Header{"X-Tenant": {"acme"}}, body), http.StatusUnauthorized, "rejected missing_signature")
	if n := len(g.delivered()); n != 0 {
		t.Errorf("%d deliveries arrived", n)
	}
}

// TestTenantOfTheSecret: the tenant that the body names is not the one that the
// application is told.
func TestTenantOfTheSecret(t *testing.T) {
	g, dir := tenantGateway(t, map[string]any{"scheme": "cryptr"})
	writeTenant(t, dir, "acme", testSecret)
	const text = `{"__domain__":"globex","__event__":"e"}`
	header := cryptr(testTime, text)
	header.Set("X-Tenant", "acme")
	header.Set("Webhook-Tenant", "initech")
	expect(t, g.send(t, header, text), http.StatusNoContent, "")
	if got := g.delivered()[0].header["Webhook-Tenant"]; len(got) != 1 || got[0] != "acme" {
		t.Errorf("Webhook-Tenant is %q", got)
	}
}

// TestForgetOfATenant: each tenant's history is its own.
func TestForgetOfATenant(t *testing.T) {
	label := fmt.Sprint("t-", labels.Add(1))
	g, dir := tenantGateway(t, map[string]any{"provider": label})
	writeTenant(t, dir, "acme", "1")
	writeTenant(t, dir, "globex", "2")
	var ids []string
	for tenant, secret := range map[string]string{"acme": "1", "globex": "2"} {
		expect(t, g.send(t, of(tenant, secret, body), body), http.StatusNoContent, "")
		got := g.delivered()
		ids = append(ids, got[len(got)-1].header.Get("Webhook-Id"))
	}
	if ids[0] == ids[1] {
		t.Error("the same id for two tenants")
	}
	owner := ownerOf(label, "acme")
	if idKey(owner, "evt_1") == idKey(label, "evt_1") || idKey(owner, "evt_1") == idKey(ownerOf(label, "globex"), "evt_1") {
		t.Error("two tenants share the key of a signed id")
	}
	got := g.delivered()
	for _, d := range got {
		tenant := d.header.Get("Webhook-Tenant")
		secret := map[string]string{"acme": "1", "globex": "2"}[tenant]
		if status := g.forgetting(t, http.MethodDelete, "/verify_webhook/history/"+label+"/"+d.header.Get("Webhook-Id")+"?tenant="+tenant); status != http.StatusNoContent {
			t.Errorf("%s: %d", tenant, status)
		}
		expect(t, g.send(t, of(tenant, secret, body), body), http.StatusNoContent, "")
	}
	if status := g.forgetting(t, http.MethodDelete, "/verify_webhook/history/"+label+"/x?other=1"); status != http.StatusBadRequest {
		t.Errorf("an unknown parameter: %d", status)
	}
}

// TestDriftOfATenant: the run of one tenant is not ended by another one, and what
// names no tenant has none.
func TestDriftOfATenant(t *testing.T) {
	g, dir := tenantGateway(t, nil)
	writeTenant(t, dir, "acme", "1")
	writeTenant(t, dir, "globex", "2")
	const refused = "refused_in_a_row"
	for range 3 {
		g.send(t, of("acme", "wrong", body), body)
	}
	g.send(t, of("globex", "wrong", body), body)
	for i := range 5 {
		g.send(t, of(fmt.Sprint("nobody-", i), "1", body), body)
		expect(t, g.send(t, of("globex", "2", fmt.Sprint(i)), fmt.Sprint(i)), http.StatusNoContent, "")
	}
	if n := g.metrics(t)[refused]; n != 3 {
		t.Errorf("%v in a row, want 3", n)
	}
	if n := len(g.handler.state.inARow); n != 1 {
		t.Errorf("the runs of %d tenants are kept", n)
	}
	// A retry of what was delivered shows that the secret fits.
	expect(t, g.send(t, of("acme", "1", body), body), http.StatusNoContent, "")
	if n := g.metrics(t)[refused]; n != 0 {
		t.Errorf("%v in a row after a delivery", n)
	}
	g.send(t, of("acme", "wrong", body), body)
	if err := os.Remove(filepath.Join(dir, "acme")); err != nil {
		t.Fatal(err)
	}
	g.send(t, of("acme", "1", body), body)
	if n := g.metrics(t)[refused]; n != 0 {
		t.Errorf("%v in a row of a tenant that is gone", n)
	}
}

// TestTenantsOfEveryScheme: each scheme has secrets of a form that the decoy can
// have, so that it can have tenants.
func TestTenantsOfEveryScheme(t *testing.T) {
	for _, scheme := range schemes.All() {
		if _, err := decoyOf(func(secrets []string) (*schemes.Verifier, error) { return scheme.NewVerifier(secrets) }); err != nil {
			t.Errorf("%s: %v", scheme.Name(), err)
		}
	}
}

// TestCapturedOfATenant is explained with the tenant's own secret.
func TestCapturedOfATenant(t *testing.T) {
	g, dir := tenantGateway(t, map[string]any{"capture": map[string]any{}})
	g.capturing(t)
	writeTenant(t, dir, "acme", "s3cr3t")
	g.send(t, of("acme", "s3cr3t", body), body+"\n")
	got, text := g.whole(t)
	if !strings.Contains(got.ExplainedBy, "line end") || !strings.Contains(text, `"tenant":"acme"`) {
		t.Errorf("captured %s", text)
	}
	if strings.Contains(text, "s3cr3t") {
		t.Error("the secret is shown")
	}
}

// TestInboxOfTenants: two tenants have a delivery with the same signed id, and the
// operator changes one of them.
func TestInboxOfTenants(t *testing.T) {
	dir := t.TempDir()
	label := fmt.Sprint("t-", labels.Add(1))
	secrets := map[string]string{"acme": "whsec_" + base64.StdEncoding.EncodeToString([]byte("secret-of-acme-secret-of-acme")), "globex": "whsec_" + base64.StdEncoding.EncodeToString([]byte("secret-of-globex-secret-of-glo"))}
	g := newKeeper(t, nil, map[string]any{
		"scheme": "standard", "provider": label, "secrets": nil,
		"tenants": map[string]any{"dir": dir, "value": "{http.request.header.X-Tenant}"},
	}, answering(http.StatusServiceUnavailable))
	scheme, _ := schemes.Get("standard")
	for tenant, secret := range secrets {
		writeTenant(t, dir, tenant, secret)
		header, err := scheme.SignWith(secret, schemes.Delivery{Body: []byte(body), ID: "evt_1", At: testTime})
		if err != nil {
			t.Fatal(err)
		}
		header.Set("X-Tenant", tenant)
		expect(t, g.send(t, header, body), http.StatusOK, "")
	}
	listed := func() (tenants []string) {
		var list []inbox.Listed
		if err := json.Unmarshal([]byte(g.admin(t, http.MethodGet, inboxPath+"?provider="+label).body), &list); err != nil {
			t.Fatal(err)
		}
		for _, entry := range list {
			tenants = append(tenants, entry.Tenant)
		}
		slices.Sort(tenants)
		return tenants
	}
	if got := listed(); !slices.Equal(got, []string{"acme", "globex"}) {
		t.Fatalf("the inbox has those of %q", got)
	}
	uri := inboxPath + "/" + label + "/evt_1"
	for path, want := range map[string]int{uri: http.StatusNotFound, uri + "?tenant=nobody": http.StatusNotFound, uri + "?other=acme": http.StatusBadRequest} {
		if a := g.admin(t, http.MethodDelete, path); a.status != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	waitUntil(t, func() bool {
		a := g.admin(t, http.MethodDelete, uri+"?tenant=acme")
		return a.status == http.StatusNoContent || a.status != http.StatusConflict // it may be attempted right now
	})
	if got := listed(); !slices.Equal(got, []string{"globex"}) {
		t.Errorf("the inbox has those of %q", got)
	}
}

// TestInboxOfATenantInTheBody: where the body names the tenant, its deliveries have
// the keys of the label.
func TestInboxOfATenantInTheBody(t *testing.T) {
	g := newKeeper(t, nil, map[string]any{"scheme": "cryptr"}, answering(http.StatusServiceUnavailable))
	const text = `{"__domain__":"acme.example","__event__":"e"}`
	expect(t, g.send(t, cryptr(testTime, text), text), http.StatusOK, "")
	var list []inbox.Listed
	if err := json.Unmarshal([]byte(g.admin(t, http.MethodGet, inboxPath+"?provider="+g.handler.Provider).body), &list); err != nil || len(list) != 1 {
		t.Fatalf("%v: %v", list, err)
	}
	var status int
	waitUntil(t, func() bool {
		status = g.admin(t, http.MethodDelete, inboxPath+"/"+list[0].Provider+"/"+list[0].ID+"?tenant="+list[0].Tenant).status
		return status != http.StatusConflict
	})
	if status != http.StatusNoContent {
		t.Errorf("dropping: %d", status)
	}
}

// TestRejudgeOfATenant: once the tenant's secret is right, what was refused under
// the wrong one arrives.
func TestRejudgeOfATenant(t *testing.T) {
	label := fmt.Sprint("t-", labels.Add(1))
	g, dir := tenantGateway(t, map[string]any{"provider": label, "capture": map[string]any{}})
	g.capturing(t)
	g.app.isActive = func() bool { return true }
	writeTenant(t, dir, "acme", "wrong")
	writeTenant(t, dir, "globex", "wrong")
	for _, tenant := range []string{"acme", "globex"} {
		expect(t, g.send(t, of(tenant, "right", body), body), http.StatusUnauthorized, "rejected signature_mismatch")
		writeTenant(t, dir, tenant, "right")
	}
	a := g.admin(t, http.MethodPost, rejudgePath+label+"?tenant=acme")
	if a.status != http.StatusOK || !strings.Contains(a.body, `"delivered":1`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	got := g.delivered()
	if len(got) != 1 || got[0].body != body || got[0].header.Get("Webhook-Tenant") != "acme" {
		t.Fatalf("the application got %v", got)
	}
	expect(t, g.send(t, of("acme", "right", body), body), http.StatusOK, "") // a duplicate
	expect(t, g.send(t, of("globex", "right", body), body), http.StatusNoContent, "")
}
