package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// tenantSite has the tenants of a directory, who are named by the path.
func tenantSite(dir, app string, options ...string) string {
	handlers := "verify_webhook craneops {\ntenants " + dir + " {path.1}\n"
	for _, option := range options {
		handlers += option + "\n"
	}
	return harness.OpenSite(harness.Route("/hooks/", handlers+"}", "reverse_proxy "+app))
}

func writeSecrets(t *testing.T, dir, tenant, secrets string) {
	t.Helper()
	hidden := filepath.Join(dir, "."+tenant)
	if err := os.WriteFile(hidden, []byte(secrets), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(hidden, filepath.Join(dir, tenant)); err != nil {
		t.Fatal(err)
	}
}

// ofTenant is a delivery of a tenant, signed with its secret.
func ofTenant(tenant, secret, body string) harness.Delivery {
	return harness.CraneOpsWith(secret, body).To("/hooks/" + tenant)
}

// TestTenants changes tenants while the gateway runs, and never reloads it.
func TestTenants(t *testing.T) {
	t.Parallel()
	app, dir := harness.NewApplication(t), t.TempDir()
	g := harness.Start(t, tenantSite(dir, app.Addr, "capture"))
	writeSecrets(t, dir, "acme", "canary-acme-1\n")
	writeSecrets(t, dir, "globex", "canary-globex-1\n")
	const body = `{"event":"supplier.approved"}`

	for i, tenant := range []string{"acme", "globex"} {
		d := ofTenant(tenant, "canary-"+tenant+"-1", body)
		statusIs(t, g.Send(t, d), http.StatusOK)
		statusIs(t, g.Send(t, d), http.StatusOK) // a duplicate
		got := app.AwaitBodies(t, i+1)
		got.Carries(t, d)
		if len(app.All()) != i+1 || got.Header.Get("Webhook-Tenant") != tenant {
			t.Errorf("%d deliveries, the last one of %q", len(app.All()), got.Header.Get("Webhook-Tenant"))
		}
	}
	for _, c := range []struct{ tenant, secret, reason string }{
		{"acme", "canary-globex-1", "signature_mismatch"},
		{"nobody", "canary-acme-1", "unknown_tenant"},
		{"ACME", "canary-acme-1", "unknown_tenant"},
		{".acme", "canary-acme-1", "unknown_tenant"},
	} {
		a := g.Send(t, ofTenant(c.tenant, c.secret, "forged"))
		if a.Status != http.StatusUnauthorized || a.Header.Get("X-Reason") != c.reason {
			t.Errorf("%s: %d %s", c.tenant, a.Status, a.Header.Get("X-Reason"))
		}
	}

	// The secret rotates, a tenant comes and one goes.
	writeSecrets(t, dir, "acme", "canary-acme-2\ncanary-acme-1\n")
	writeSecrets(t, dir, "umbrella", "canary-umbrella\n")
	for i, d := range []harness.Delivery{
		ofTenant("acme", "canary-acme-1", "1"), ofTenant("acme", "canary-acme-2", "2"), ofTenant("umbrella", "canary-umbrella", "3"),
	} {
		statusIs(t, g.Send(t, d), http.StatusOK)
		app.AwaitBodies(t, 3+i).Carries(t, d)
	}
	writeSecrets(t, dir, "umbrella", "\n")
	a := g.Send(t, ofTenant("umbrella", "canary-umbrella", "4"))
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("X-Reason") != "tenant_unavailable" || a.Header.Get("Retry-After") == "" {
		t.Errorf("an empty file: %d %v", a.Status, a.Header)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	statusIs(t, g.Send(t, ofTenant("acme", "canary-acme-2", "5")), http.StatusServiceUnavailable)
	if n := len(app.All()); n != 5 {
		t.Errorf("%d deliveries arrived", n)
	}
	for _, secret := range []string{"canary-acme-1", "canary-acme-2", "canary-globex-1", "canary-umbrella"} {
		if regexp.MustCompile(secret).MatchString(g.Log.String()) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

// TestTenThousandTenants sends one delivery of each, and measures what they cost.
func TestTenThousandTenants(t *testing.T) {
	app, dir := harness.NewApplication(t), t.TempDir()
	const tenants = 10_000
	for i := range tenants {
		writeSecrets(t, dir, fmt.Sprint("tenant-", i), fmt.Sprint("canary-", i))
	}
	began := time.Now()
	g := harness.Start(t, tenantSite(dir, app.Addr, "replay off"))
	t.Logf("started in %v", time.Since(began).Round(time.Millisecond))
	const body = `{"n":1}`
	send := func(i int) {
		t.Helper()
		if a := g.Send(t, ofTenant(fmt.Sprint("tenant-", i), fmt.Sprint("canary-", i), body)); a.Status != http.StatusOK {
			t.Fatalf("tenant %d: %d %s", i, a.Status, a.Header.Get("X-Reason"))
		}
	}
	send(0)
	app.Forget()
	before := liveHeap(t, g)
	began = time.Now()
	for i := range tenants {
		send(i)
	}
	first := time.Since(began)
	app.Forget()
	each := (liveHeap(t, g) - before) / tenants
	began = time.Now()
	const ofOne = tenants / 5
	for range ofOne {
		send(0)
	}
	one := time.Since(began)
	t.Logf("%d bytes each; by turns and read for the first time %.0f a second, of one tenant %.0f", each, tenants/first.Seconds(), ofOne/one.Seconds())
	const most = 2 << 10
	if each > most {
		t.Errorf("a tenant takes %d bytes, want %d at most", each, most)
	}
}

// liveHeap is what the gateway's heap holds after a collection, in bytes.
func liveHeap(t *testing.T, g *harness.Gateway) int {
	t.Helper()
	var text string
	for range 3 { // pools are empty after two
		_, text = g.Ask(t, http.MethodGet, "/debug/pprof/heap?gc=1&debug=1", "")
	}
	found := regexp.MustCompile(`# HeapAlloc = (\d+)`).FindStringSubmatch(text)
	if found == nil {
		t.Fatal("the profile does not say how much the heap holds")
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
