package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestDeliverAgain: an operator has one delivery handed over once more. It is the
// same request to the byte, goes through the site's routes, and leaves the
// history as it was.
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
	if said, code := deliver(); code != 1 || !strings.HasSuffix(said, "the application answered 418\n") {
		t.Errorf("exit status %d: %s", code, said)
	}
	g.Send(t, sent).Duplicate(t) // it has been delivered, whatever was answered since
	app.Saw(t, 3)

	// Another site makes the operator's browser ask.
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

	// To a developer's machine, with the signature.
	developer := harness.NewApplication(t)
	if said, code := webhook(t, "", "deliver", number, "--to", "http://"+developer.Addr+"/hooks", "--address", g.Admin); code != 0 {
		t.Errorf("exit status %d: %s", code, said)
	}
	developer.All()[0].Carries(t, sent.To("/hooks"))
	app.Saw(t, 3)
}

// TestRejudge: a wrong secret in the configuration, deliveries rejected and
// captured, the secret corrected. Each then reaches the application once.
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
	for i, d := range sent {
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
