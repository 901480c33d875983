package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// secureSite adds a site with TLS, and so with HTTP/2 and HTTP/3, to a test's
// plain one. The certificate is for the address and not for a name.
func secureSite(t *testing.T, port, routes string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"hooks.test"},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: certificate}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("\n}\n:%s {\nbind 127.0.0.1\ntls %s/cert.pem %s/key.pem\n%s", port, dir, dir, routes)
}

// sendSecure sends over TLS, with HTTP/1.1, HTTP/2 or HTTP/3.
func sendSecure(t *testing.T, protocol, port, name string, d harness.Delivery) harness.Answer {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true, ServerName: name}
	var transport http.RoundTripper
	if protocol == "h3" {
		h3 := &http3.Transport{TLSClientConfig: config}
		defer h3.Close()
		transport = h3
	} else {
		h := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols)}
		h.Protocols.SetHTTP1(protocol == "h1")
		h.Protocols.SetHTTP2(protocol == "h2")
		defer h.CloseIdleConnections()
		transport = h
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://127.0.0.1:"+port+d.Path, bytes.NewReader(d.Body))
	if err != nil {
		t.Fatal(err)
	}
	if name != "" {
		r.Host = name + ":" + port
	}
	for _, h := range d.Headers {
		r.Header.Add(h.Name, h.Value)
	}
	a, err := harness.Read(transport.RoundTrip(r))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestNobodyPassesAsRedelivery: a redelivery is a request without a signature
// check. While one is in progress, no request from outside gets past the check:
// not with the headers of a redelivery, the id of a waiting delivery, variables
// that the site sets from headers, or a request that the site itself makes.
func TestNobodyPassesAsRedelivery(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	free := closing(release)
	defer free()
	app := harness.NewApplication(t)
	port := harness.FreePort(t)
	option := inboxFile(filepath.Join(t.TempDir(), "inbox.db"), "mode always", "concurrency 1")
	verify := harness.Verify("craneops", "CRANEOPS_SECRET", "provider craneops", option)
	// A template before the check requests the site's own path, also during the
	// redelivery. This request must not be taken for the redelivery.
	page := "route /page {\ntemplates {\nmime text/plain\n}\nrespond `{{httpInclude \"/included\"}}`\n}"
	routes := harness.OpenSite(
		page,
		harness.Route("/included", harness.Verify("craneops", "CRANEOPS_SECRET", "provider craneops", option), "reverse_proxy "+app.Addr),
		harness.Route("/craneops", "vars {http.request.header.X-Name} {http.request.header.X-Value}",
			"vars reentry true", "vars verify_webhook true", verify, "reverse_proxy "+app.Addr),
	)
	g := harness.Start(t, routes+secureSite(t, port, strings.Replace(routes, page, "", 1)), append(harness.Secrets(), "E2E_PROTOCOLS=h1 h2 h2c h3")...)
	app.Answers(harness.Until(release, http.StatusOK))
	real := harness.CraneOps(`{"real":1}`)
	g.Send(t, real).Accepted(t)
	app.AwaitArrivals(t, 1) // the redelivery is in progress from now on
	waiting := inboxOf(t, g, "")
	if len(waiting) != 1 {
		t.Fatalf("%+v", waiting)
	}

	claims := []harness.Header{
		{Name: "Webhook-Attempt", Value: "1"},
		{Name: "Webhook-Received-At", Value: time.Now().UTC().Format(time.RFC3339)},
		{Name: "Webhook-Id", Value: waiting[0].ID},
		{Name: "Webhook-Verdict", Value: "accepted"},
		{Name: "Webhook-Provider", Value: "craneops"},
		{Name: "X-Name", Value: "verify_webhook.reentry"},
		{Name: "X-Value", Value: waiting[0].ID},
	}
	forge := func(d harness.Delivery) harness.Delivery {
		for _, claim := range claims {
			d = d.Plus(claim.Name, claim.Value)
		}
		return d
	}
	forged := []harness.Delivery{
		forge(real.Without("X-CraneOps-Signature")),
		forge(real.Saying([]byte(`{"real":2}`))),
		forge(real.Saying([]byte(`{"real":2}`)).Without("X-CraneOps-Signature")).Plus("Connection", "Webhook-Attempt"),
	}
	senders := map[string]func(harness.Delivery) harness.Answer{
		"h1": func(d harness.Delivery) harness.Answer { return g.Send(t, d) },
		"h2c": func(d harness.Delivery) harness.Answer {
			a, err := harness.SendH2C(t, g, d.Without("Connection"))
			if err != nil {
				t.Fatal(err)
			}
			return a
		},
	}
	for _, protocol := range []string{"h1", "h2", "h3"} {
		senders["TLS "+protocol] = func(d harness.Delivery) harness.Answer {
			return sendSecure(t, protocol, port, "", d.Without("Connection"))
		}
	}
	for name, send := range senders {
		for i, d := range forged {
			if a := send(d); a.Status != http.StatusUnauthorized || a.Verdict() != "rejected" {
				t.Errorf("%s, forgery %d: answered %d %q", name, i, a.Status, a.Verdict())
			}
		}
		if a := send(forge(real)); a.Verdict() != "duplicate" {
			t.Errorf("%s, a duplicate: answered %d %q", name, a.Status, a.Verdict())
		}
	}
	for _, host := range []string{g.Addr, "craneops", "localhost:2019", "", "..", "[::1]"} {
		text := strings.Replace(forged[1].Whole(), "Host: "+g.Addr, "Host: "+host, 1)
		if a := g.Exchange(t, text); a.Status != http.StatusUnauthorized && a.Status != http.StatusBadRequest && a.Status != http.StatusNotFound {
			t.Errorf("host %q: answered %d %q", host, a.Status, a.Verdict())
		}
	}
	if a := g.Send(t, harness.Delivery{Method: http.MethodGet, Path: "/page"}); strings.Contains(string(a.Body), "real") || a.Status == http.StatusOK && len(a.Body) > 0 {
		t.Errorf("an included request is answered %d %q", a.Status, a.Body)
	}
	app.Saw(t, 1)

	// An authentic delivery cannot claim to be an attempt either.
	free()
	awaitInbox(t, g, 0)
	next := harness.CraneOps(`{"real":3}`)
	g.Send(t, forge(next)).Accepted(t)
	app.AwaitArrivals(t, 2)
	last := app.All()[1]
	if last.Header.Get("Webhook-Id") == waiting[0].ID || len(last.Header.Values("Webhook-Attempt")) != 1 || string(last.Body) != string(next.Body) {
		t.Errorf("the application gets %v", last.Header)
	}
}

// sizeOf returns the size of a folder on the disk.
func sizeOf(t *testing.T, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

// TestNobodyFillsTheInbox: forgeries, duplicates, and replays with other
// unsigned values take no space, whether the delivery waits, was delivered or
// is dead.
func TestNobodyFillsTheInbox(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"rescue", "always"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			g, app := craneopsGateway(t, inboxFile(filepath.Join(dir, "inbox.db"), "mode "+mode))
			app.Answers(harness.Status(http.StatusServiceUnavailable))
			small, large := harness.CraneOps(`{"n":1}`), harness.CraneOps(`{"n":"`+strings.Repeat("x", 200_000)+`"}`)
			for _, d := range []harness.Delivery{small, large} {
				g.Send(t, d).Accepted(t)
			}
			awaitInbox(t, g, 2)
			before := sizeOf(t, dir)
			attack := func() {
				t.Helper()
				for n := range 15 {
					for _, d := range []harness.Delivery{small, large} {
						g.Send(t, d.To(fmt.Sprintf("/craneops/%d?n=%d", n, n)))
						g.Send(t, d.With("X-CraneOps-Event", fmt.Sprint(n)))
						g.Send(t, d.Saying(append(slices.Clone(d.Body), fmt.Sprint(n)...))).Rejected(t, "signature_mismatch")
						g.Send(t, d.Plus("X-Padding", strings.Repeat("y", 10_000)))
					}
				}
			}
			attack()
			if n := len(inboxOf(t, g, "")); n != 2 {
				t.Errorf("%d deliveries, while they wait", n)
			}
			// The record of an attempt takes a few pages.
			if now := sizeOf(t, dir); now > before+256<<10 {
				t.Errorf("%d bytes, %d before", now, before)
			}

			app.Answers(harness.Status(http.StatusUnprocessableEntity))
			harness.Poll(t, "dead deliveries", func() bool { return len(inboxOf(t, g, "?state=dead")) == 2 })
			attack()
			if n := len(inboxOf(t, g, "")); n > 2 {
				t.Errorf("%d deliveries, when they are dead", n)
			}
			if now := sizeOf(t, dir); now > before+512<<10 {
				t.Errorf("%d bytes when they are dead, %d before", now, before)
			}
		})
	}
}

// TestEntriesStayWithTheirSite: two sites and two ports share a label and an
// inbox. Whatever Host a delivery has, a later attempt goes to the same site as
// the first.
func TestEntriesStayWithTheirSite(t *testing.T) {
	t.Parallel()
	var apps []*harness.Application
	for range 3 {
		apps = append(apps, harness.NewApplication(t))
	}
	port := harness.FreePort(t)
	verify := harness.Verify("craneops", "CRANEOPS_SECRET", "provider craneops", inboxFile(filepath.Join(t.TempDir(), "inbox.db")))
	routes := func(other *harness.Application) string {
		return harness.OpenSite(
			"@a host a.test", "route @a {\n"+verify+"\nreverse_proxy "+apps[0].Addr+"\n}",
			"@b host b.test", "route @b {\n"+verify+"\nreverse_proxy "+apps[1].Addr+"\n}",
			"route {\n"+verify+"\nreverse_proxy "+other.Addr+"\n}",
		)
	}
	other := harness.NewApplication(t)
	g := harness.Start(t, routes(apps[2])+"\n}\n:"+port+" {\nbind 127.0.0.1\n"+routes(other), harness.Secrets()...)
	apps = append(apps, other)
	second := &harness.Gateway{Addr: "127.0.0.1:" + port}
	var up atomic.Bool
	for _, app := range apps {
		app.Answers(func(w http.ResponseWriter, _ *http.Request) {
			if !up.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
	}
	firsts := map[string]int{} // by body, the application that got it first
	for i, form := range []struct{ target, host string }{
		{"/", "a.test"},
		{"/", "b.test"},
		{"/", "A.TEST"},
		{"/", "b.test:80"},
		{"/", "a.test:" + port},
		{"/", "a.test."},
		{"/", "c.test"},
		{"/", "127.0.0.1"},
		{"/", "[::1]:80"},
		{"/", "a.test@b.test"},
		{"/", "a.test/b.test"},
		{"/", "%61.test"},
		{"/", "a.test, b.test"},
		{"http://b.test/", "a.test"},
		{"http://a.test/", "b.test"},
		{"//b.test/", "a.test"},
		{"http://b.test:" + port + "/x", "a.test"},
		{"/http://b.test/", "a.test"},
		{"/?host=b.test", "a.test"},
		{"/%2e%2e/b.test", "a.test"},
	} {
		for j, gateway := range []*harness.Gateway{g, second} {
			d := harness.CraneOps(fmt.Sprintf(`{"form":%d,"port":%d}`, i, j))
			before := make([]int, len(apps))
			for n, app := range apps {
				before[n] = app.CountBody(d.Body)
			}
			text := strings.Replace(d.To(form.target).Whole(), "\r\n\r\n", "\r\nX-Forwarded-Host: b.test\r\nForwarded: host=b.test\r\n\r\n", 1)
			lines := strings.SplitAfter(text, "\r\n")
			for n, line := range lines {
				if strings.HasPrefix(line, "Host:") {
					lines[n] = "Host: " + form.host + "\r\n"
				}
			}
			a := gateway.Exchange(t, strings.Join(lines, ""))
			if a.Status == http.StatusBadRequest {
				continue
			}
			a.Accepted(t)
			firsts[string(d.Body)] = slices.IndexFunc(apps, func(app *harness.Application) bool { return app.CountBody(d.Body) > 0 })
		}
	}
	if len(firsts) < 20 {
		t.Fatalf("only %d were kept", len(firsts))
	}
	seen := map[int]bool{}
	for _, app := range firsts {
		seen[app] = true
	}
	if len(seen) != len(apps) {
		t.Fatalf("only the applications %v were asked", seen)
	}
	up.Store(true)
	awaitInbox(t, g, 0)
	for n, app := range apps {
		for _, r := range app.All() {
			if firsts[string(r.Body)] != n {
				t.Errorf("%s was first asked of application %d and reached %d", r.Body, firsts[string(r.Body)], n)
			}
		}
	}
}

// TestInboxTellsNobody: no log, metric, list, command or page contains the
// payload, the query or the signature of a delivery that waits, is attempted,
// is dead or cannot be kept.
func TestInboxTellsNobody(t *testing.T) {
	t.Parallel()
	const payload = "e2e-canary-payload-8Kq3Zx1M"
	app := harness.NewApplication(t)
	dir := t.TempDir()
	option := func(name string, more ...string) string { return inboxFile(filepath.Join(dir, name), more...) }
	g := harness.Start(t, harness.BareSite(
		harness.Route("/waits", harness.Verify("craneops", "CRANEOPS_SECRET", "provider waits", option("inbox.db")), "error \"{http.request.body}\" 500"),
		harness.Route("/dead", harness.Verify("craneops", "CRANEOPS_SECRET", "provider dead", option("inbox.db", "mode always")), "reverse_proxy "+app.Addr),
		harness.Route("/full", harness.Verify("craneops", "CRANEOPS_SECRET", "provider full", option("full.db", "max_size 1KiB")), "reverse_proxy "+app.Addr),
		"respond 404", "handle_errors {\nrespond \"\" {err.status_code}\n}",
	), harness.Secrets()...)
	app.Answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Said", payload)
		status := http.StatusUnprocessableEntity
		if strings.HasPrefix(r.RequestURI, "/full") {
			status = http.StatusServiceUnavailable
		}
		http.Error(w, payload, status)
	})
	d := harness.CraneOps(`{"payload":"` + payload + `"}`)
	for _, path := range []string{"/waits", "/dead", "/full"} {
		g.Send(t, d.To(path+"?token="+queryToken))
	}
	harness.Poll(t, "one that waits and one that is dead", func() bool {
		list := inboxOf(t, g, "")
		return len(list) == 2 && slices.ContainsFunc(list, func(k kept) bool { return k.State == "dead" }) &&
			slices.ContainsFunc(list, func(k kept) bool { return k.State == "waiting" && k.Attempts > 0 })
	})
	forbidden := append(canaries(), payload, d.Get("X-CraneOps-Signature"))
	ask := func(path string) string {
		_, text := g.Ask(t, http.MethodGet, path, "")
		return text
	}
	holdsNone(t, "the list has", ask("/verify_webhook/inbox"), forbidden)
	holdsNone(t, "the metrics have", harness.MetricsText(t, g.Admin), forbidden)
	holdsNone(t, "the deliveries have", ask("/verify_webhook/deliveries"), forbidden)
	for _, args := range [][]string{{"list"}, {"list", "--json"}, {"retry", "--all"}} {
		said, _ := g.Command(append([]string{"webhook", "inbox"}, append(args, "--address", g.Admin)...)...).CombinedOutput()
		holdsNone(t, "the command says", string(said), forbidden)
	}
	// Ignore the lines that Caddy itself logs for a request.
	ours := 0
	for line := range strings.Lines(g.Log.String()) {
		if strings.Contains(line, "verify_webhook") && !strings.Contains(line, `"request":`) {
			holdsNone(t, "the log has", line, forbidden)
			ours++
		}
	}
	if ours == 0 {
		t.Error("the log says nothing of the inbox")
	}
}

// TestRedeliveryHasItsConnection: an attempt has the TLS state, the protocol
// and the addresses of the first request, over every protocol.
func TestRedeliveryHasItsConnection(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	port := harness.FreePort(t)
	var up atomic.Bool
	app.Answers(func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	route := harness.Route("/craneops", harness.Verify("craneops", "CRANEOPS_SECRET", "provider craneops", inboxFile(filepath.Join(t.TempDir(), "inbox.db"))),
		"reverse_proxy "+app.Addr+" {\nheader_up X-Connection \"{http.request.proto} {http.request.scheme} {http.request.tls.server_name} {http.request.tls.proto} {http.request.tls.version} {http.request.remote.host} {http.request.local.port} {http.request.host}\"\n}")
	g := harness.Start(t, harness.OpenSite(route)+secureSite(t, port, harness.OpenSite(route)), harness.Secrets()...)
	for _, protocol := range []string{"h1", "h2", "h3"} {
		for _, name := range []string{"", "hooks.test"} {
			a := sendSecure(t, protocol, port, name, harness.CraneOps(`{"over":"`+protocol+name+`"}`))
			a.Accepted(t)
		}
	}
	g.Send(t, harness.CraneOps(`{"over":"plain"}`)).Accepted(t)
	up.Store(true)
	awaitInbox(t, g, 0)
	first := map[string]string{}
	for _, r := range app.All() {
		body, connection := string(r.Body), r.Header.Get("X-Connection")
		if first[body] == "" {
			first[body] = connection
		}
		if connection != first[body] {
			t.Errorf("%s came first over %q and then over %q", body, first[body], connection)
		}
	}
	for body, want := range map[string]string{
		`{"over":"h2hooks.test"}`: "HTTP/2.0 https hooks.test h2 tls1.3 127.0.0.1 " + port + " hooks.test",
		`{"over":"h3"}`:           "HTTP/3.0 https  h3 tls1.3 127.0.0.1 " + port + " 127.0.0.1",
		`{"over":"plain"}`:        "HTTP/1.1 http    127.0.0.1 " + strings.TrimPrefix(g.Addr, "127.0.0.1:") + " 127.0.0.1",
	} {
		if first[body] != want {
			t.Errorf("%s came over %q, want %q", body, first[body], want)
		}
	}
}
