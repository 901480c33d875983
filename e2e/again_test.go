package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestDeliverAgain: an operator delivers one delivery again. The request is the
// same byte for byte, goes through the site's routes, and does not change the
// history.
func TestDeliverAgain(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	g := harness.Start(t, harness.OpenSite(harness.Route("/craneops", "request_header X-Site {http.request.host}",
		harness.Verify("craneops", "CRANEOPS_SECRET", "capture {\nof all\n}"), "reverse_proxy "+app.Addr)), harness.Secrets()...)
	sent := harness.CraneOps(`{"event":"booking.created", "n" : 1}`).To("/craneops/a%2Fb?c=%20d").Plus("X-Own", "1").Plus("X-Own", "2").Plus("Webhook-Verdict", "forged")
	g.Send(t, sent).Accepted(t)
	number := jsonNumber(listed(t, g)[0].Number)
	deliver := func() (string, int) { return webhook(t, "", "deliver", number, "--address", g.Admin) }
	if said, code := deliver(); code != 0 || !strings.HasSuffix(said, "the application answered 200\n") {
		t.Fatalf("exit status %d: %s", code, said)
	}
	first, again := app.All()[0], app.All()[1]
	again.Carries(t, sent.Without("Webhook-Verdict"))
	if a, b := fmt.Sprint(first.Header), fmt.Sprint(again.Header); a != b || again.Header.Get("X-Site") == "" {
		t.Errorf("first  %s\nthen   %s", a, b)
	}
	all := listed(t, g)
	if len(all) != 2 || all[1].Verdict != "accepted" || all[1].Status != 0 || all[1].Application != 200 || all[1].ID != all[0].ID || all[1].Client != all[0].Client {
		t.Errorf("listed %+v", all)
	}
	g.Send(t, sent).Duplicate(t)

	app.Answers(harness.Status(http.StatusTeapot))
	if said, code := deliver(); code != 1 || !strings.HasSuffix(said, "the answer was 418\n") {
		t.Errorf("exit status %d: %s", code, said)
	}
	g.Send(t, sent).Duplicate(t) // it has been delivered, whatever the application answered later
	app.Saw(t, 3)

	// Another site makes the operator's browser send the request.
	for _, header := range [][2]string{{"Origin", "http://evil.example"}, {"Sec-Fetch-Mode", "no-cors"}} {
		for _, path := range []string{"deliveries/" + number + "/deliver", "rejudge/craneops"} {
			r, err := http.NewRequest(http.MethodPost, "http://"+g.Admin+"/verify_webhook/"+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set(header[0], header[1])
			if a, err := harness.Read(http.DefaultClient.Do(r)); err != nil || a.Status != http.StatusForbidden && a.Status != http.StatusBadRequest {
				t.Errorf("%s with %s: %d %v", path, header, a.Status, err)
			}
		}
	}
	if status, said := g.Ask(t, http.MethodGet, "/verify_webhook/deliveries/"+number+"/deliver", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d %s", status, said)
	}
	app.Saw(t, 3)

	// To a developer's machine, with the signature and without headers that the
	// sender forged.
	developer := harness.NewApplication(t)
	if said, code := webhook(t, "", "deliver", number, "--to", "http://"+developer.Addr+"/hooks", "--address", g.Admin); code != 0 {
		t.Errorf("exit status %d: %s", code, said)
	}
	developer.All()[0].Carries(t, sent.To("/hooks").Without("Webhook-Verdict"))
	if forged := developer.All()[0].Header.Values("Webhook-Verdict"); len(forged) != 0 {
		t.Errorf("the developer's machine received Webhook-Verdict %q", forged)
	}
	app.Saw(t, 3)

	// Not through a proxy, which would then get a valid signature.
	proxy := harness.NewApplication(t)
	cmd := exec.Command(harness.Binary(t), "webhook", "deliver", number, "--to", "http://developer.invalid/hooks", "--address", g.Admin)
	cmd.Env = append(harness.BareEnv(t.TempDir()), "HTTP_PROXY=http://"+proxy.Addr)
	if said, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(said), "no answer") {
		t.Errorf("a host that does not exist: %v %s", err, said)
	}
	proxy.Saw(t, 0)
}

// TestRejudge: with a wrong secret, deliveries are rejected and captured. After
// the secret is corrected, each reaches the application once.
func TestRejudge(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	site := func(secret string) string {
		return harness.OpenSite(harness.Route("/craneops", harness.Verify("craneops", secret, "capture"), "reverse_proxy "+app.Addr))
	}
	g := harness.Start(t, site("WRONG_SECRET"), append(harness.Secrets(), "WRONG_SECRET=not-the-one-of-the-provider")...)
	var sent []harness.Delivery
	for n := range 3 {
		d := harness.CraneOps(fmt.Sprintf("{\"n\": %d}\n", n)).To(fmt.Sprintf("/craneops?n=%d", n))
		g.Send(t, d).Rejected(t, "signature_mismatch")
		sent = append(sent, d)
	}
	g.Send(t, sent[0].Saying([]byte("forged"))).Rejected(t, "signature_mismatch")
	rejudge := func() (string, int) {
		return webhook(t, "", "rejudge", "--provider", "craneops", "--address", g.Admin)
	}
	if said, code := rejudge(); code != 0 || said != "judged again: 4, delivered: 0\n" {
		t.Errorf("with the wrong secret: exit status %d: %s", code, said)
	}
	app.Saw(t, 0)
	g.MustReload(t, site("CRANEOPS_SECRET"))
	app.Answers(harness.Status(http.StatusServiceUnavailable))
	if said, code := rejudge(); code != 1 || !strings.Contains(said, "judged again: 1, delivered: 0\n") || !strings.Contains(said, "the application answered 503") {
		t.Errorf("with an application that is down: exit status %d: %s", code, said)
	}
	app.Answers(harness.Status(http.StatusOK))
	if said, code := rejudge(); code != 0 || said != "judged again: 4, delivered: 3\n" {
		t.Errorf("exit status %d: %s", code, said)
	}
	got := app.All()[1:]
	if len(got) != len(sent) {
		t.Fatalf("%d reached the application", len(got))
	}
	for i, d := range []harness.Delivery{sent[1], sent[2], sent[0]} { // the delivery at which it stopped comes last
		got[i].Carries(t, d)
		g.Send(t, d).Duplicate(t)
	}
	if said, code := rejudge(); code != 0 || said != "judged again: 1, delivered: 0\n" {
		t.Errorf("once more: exit status %d: %s", code, said)
	}
	if said, code := webhook(t, "", "rejudge", "--provider", "nobody", "--address", g.Admin); code != 1 || !strings.Contains(said, "404") {
		t.Errorf("an unknown label: exit status %d: %s", code, said)
	}
	app.Saw(t, 4)
	delivered := slices.DeleteFunc(listed(t, g), func(d seen) bool { return d.Verdict != "accepted" })
	if len(delivered) != 4 {
		t.Errorf("listed %+v", delivered)
	}
}

// twoLabels returns a site with two labels, each with its own application. The
// secrets come from the given variables.
func twoLabels(atOne, atTwo, one, two string, options string) string {
	route := func(path, label, secret, app string) string {
		return harness.Route(path, harness.Verify("craneops", secret, "provider "+label, options), "reverse_proxy "+app)
	}
	return harness.OpenSite(route("/one", atOne, "CRANEOPS_SECRET", one), route("/two", atTwo, "OTHER_SECRET", two))
}

// TestRejudgeAfterLabelsWereSwapped: a rejected delivery now reaches the
// handler of another label. That handler has not verified it, so it is not
// forwarded.
func TestRejudgeAfterLabelsWereSwapped(t *testing.T) {
	t.Parallel()
	one, two := harness.NewApplication(t), harness.NewApplication(t)
	const capture = "capture {\nof all\n}"
	g := harness.Start(t, twoLabels("live", "test", one.Addr, two.Addr, capture), append(harness.Secrets(), "OTHER_SECRET=e2e-canary-other-2Kf8")...)
	authentic := harness.CraneOps(`{"n":1}`).To("/one")
	g.Send(t, authentic).Accepted(t)
	forged := authentic.Saying([]byte("forged")).Plus("Webhook-Verdict", "accepted").Plus("Webhook-Id", "forged")
	g.Send(t, forged).Rejected(t, "signature_mismatch")
	number := jsonNumber(listed(t, g)[0].Number)
	for _, swapped := range []string{
		twoLabels("test", "live", one.Addr, two.Addr, capture),
		harness.OpenSite( // another scheme has the path now
			harness.Route("/one", harness.Verify("github", "CRANEOPS_SECRET", "provider third"), "reverse_proxy "+one.Addr),
			harness.Route("/two", harness.Verify("craneops", "OTHER_SECRET", "provider live", capture), "reverse_proxy "+two.Addr),
		),
	} {
		g.MustReload(t, swapped)
		if said, code := webhook(t, "", "rejudge", "--provider", "live", "--address", g.Admin); code != 0 || said != "judged again: 0, delivered: 0\n" {
			t.Errorf("rejudge: exit status %d: %s", code, said)
		}
		if said, code := webhook(t, "", "deliver", number, "--address", g.Admin); code != 1 || !strings.Contains(said, "another label or scheme") {
			t.Errorf("deliver: exit status %d: %s", code, said)
		}
	}
	one.Saw(t, 1)
	two.Saw(t, 0)
}

// TestInboxAfterLabelsWereSwapped: a kept delivery waits until its path leads
// to its handler again, and reaches no other application meanwhile.
func TestInboxAfterLabelsWereSwapped(t *testing.T) {
	t.Parallel()
	one, two := harness.NewApplication(t), harness.NewApplication(t)
	one.Answers(harness.Status(http.StatusServiceUnavailable))
	inbox := inboxFile(filepath.Join(t.TempDir(), "inbox.db"))
	right := twoLabels("live", "test", one.Addr, two.Addr, inbox)
	g := harness.Start(t, right, append(harness.Secrets(), "OTHER_SECRET=e2e-canary-other-2Kf8")...)
	d := harness.CraneOps(`{"n":1}`).To("/one")
	g.Send(t, d).Accepted(t)
	g.MustReload(t, twoLabels("test", "live", one.Addr, two.Addr, inbox))
	one.Answers(harness.Status(http.StatusOK))
	harness.Poll(t, "an attempt that ends at the other label", func() bool {
		list := inboxOf(t, g, "")
		return len(list) == 1 && list[0].State == "waiting" && strings.Contains(list[0].LastError, "another label or scheme")
	})
	before := len(one.All())
	g.MustReload(t, right)
	one.AwaitBodies(t, before+1).Carries(t, d)
	awaitInbox(t, g, 0)
	two.Saw(t, 0)
}

// TestRejudgeEndsWithItsConfiguration: if a secret is removed while deliveries
// are verified again, it verifies none of the rest.
func TestRejudgeEndsWithItsConfiguration(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	site := func(secret string) string {
		return harness.OpenSite(harness.Route("/craneops", harness.Verify("craneops", secret, "capture"), "reverse_proxy "+app.Addr))
	}
	g := harness.Start(t, site("OTHER_SECRET"), append(harness.Secrets(), "OTHER_SECRET=e2e-canary-other-2Kf8")...)
	for n := range 3 {
		g.Send(t, harness.CraneOps(fmt.Sprintf(`{"n":%d}`, n)).To("/craneops")).Rejected(t, "signature_mismatch")
	}
	g.MustReload(t, site("CRANEOPS_SECRET"))
	release := make(chan struct{})
	app.Answers(harness.Until(release, http.StatusOK))
	ended := make(chan string, 1)
	go func() {
		said, _ := harness.Read(http.Post("http://"+g.Admin+"/verify_webhook/rejudge/craneops", "", http.NoBody))
		ended <- string(said.Body)
	}()
	app.AwaitArrivals(t, 1)
	g.MustReload(t, site("OTHER_SECRET"))
	close(release)
	if said := <-ended; !strings.Contains(said, `"judged":1`) || !strings.Contains(said, "another configuration runs now") {
		t.Errorf("it says %s", said)
	}
	app.Saw(t, 1)
}
