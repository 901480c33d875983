package e2e

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// press presses a button on the page of a delivery and confirms.
func (tab *tab) press(action, answer string) {
	tab.t.Helper()
	button := "document.querySelector('[action=" + action + "] button')"
	tab.holds("document.readyState === 'complete' && " + button + " && !" + button + ".disabled")
	tab.text(button + ".click()")
	tab.holds("document.querySelector('#ask').open")
	tab.text("document.querySelector('#yes').click()")
	tab.says(answer)
}

// TestPageButtons presses the buttons with a real gateway, and checks the
// requests at the application.
func TestPageButtons(t *testing.T) {
	t.Parallel()
	b := newBrowser(t)
	app := harness.NewApplication(t)
	site := func(secret string) string {
		return harness.OpenSite(harness.Route("/craneops", harness.Verify("craneops", secret, "capture {\nof all\n}"), "reverse_proxy "+app.Addr))
	}
	g := harness.Start(t, site("WRONG_SECRET"), append(harness.Secrets(), "WRONG_SECRET=not-the-one-of-the-provider")...)
	rejected, accepted := harness.CraneOps(`{"first":1}`).To("/craneops?a=1"), harness.CraneOps(`{"second":2}`).To("/craneops?a=2")
	g.Send(t, rejected).Rejected(t, "signature_mismatch")
	g.MustReload(t, site("CRANEOPS_SECRET"))
	g.SendAfterReload(t, accepted).Accepted(t)
	all := listed(t, g)
	rejectedNumber, acceptedNumber := jsonNumber(all[0].Number), jsonNumber(all[1].Number)
	address := inspect(t, g.Admin)
	tab := b.tab(t)

	tab.open(address + acceptedNumber)
	tab.press("deliver", "Delivered again: the application answered 200.")
	app.Saw(t, 2)
	app.All()[1].Carries(t, accepted)
	app.Answers(harness.Status(http.StatusInternalServerError))
	tab.press("deliver", "The application answered 500.")
	if tab.text("document.querySelector('#said').className") != "said bad" {
		t.Error("a failure looks like a success")
	}
	app.Answers(harness.Status(http.StatusOK))
	g.Send(t, accepted).Duplicate(t)
	tab.press("allow", "Allowed again")
	g.Send(t, accepted).Accepted(t)
	app.Saw(t, 4)

	tab.open(address + rejectedNumber)
	tab.press("rejudge", "Judged 1 delivery again: 1 delivered.")
	app.Saw(t, 5)
	app.All()[4].Carries(t, rejected)
	g.Send(t, rejected).Duplicate(t)

	// Another site that knows the address cannot use any of them.
	for _, button := range []string{"deliver", "allow", "erase", "rejudge", "retry", "drop"} {
		form := url.Values{"number": {acceptedNumber}, "provider": {"craneops"}, "id": {all[1].ID}}
		for _, by := range [][2]string{{"Origin", "http://" + foreignHost}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Host", foreignHost}} {
			r, err := http.NewRequest(http.MethodPost, address+button, strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if r.Header.Set(by[0], by[1]); by[0] == "Host" {
				r.Host = by[1]
			}
			if a, err := harness.Read(http.DefaultClient.Do(r)); err != nil || a.Status != http.StatusForbidden {
				t.Errorf("%s with %s: %d %s %v", button, by, a.Status, a.Body, err)
			}
		}
	}
	app.Saw(t, 5)
	g.Send(t, accepted).Duplicate(t) // it was not forgotten
	if all := listed(t, g); !all[1].Captured {
		t.Error("it was erased")
	}

	// A capture that was erased elsewhere meanwhile cannot be delivered, and
	// the page says so.
	tab.open(address + acceptedNumber)
	tab.press("erase", "Erased: headers and body of this delivery are gone.")
	if all := listed(t, g); all[1].Captured {
		t.Error("it was not erased")
	}
	tab.run(chromedp.Reload())
	tab.holds("document.readyState === 'complete' && !document.querySelector('.headers') && !document.querySelector('[action=deliver]')")
	last := jsonNumber(listed(t, g)[5].Number) // the delivery that was allowed again
	tab.open(address + last)
	tab.holds("document.querySelector('[action=deliver] button')")
	if status, said := g.Ask(t, http.MethodDelete, "/verify_webhook/deliveries/"+last, ""); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, said)
	}
	tab.press("deliver", "Headers and body of this delivery were not captured, or are erased.")
	app.Saw(t, 5)
}
