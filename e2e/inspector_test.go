package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// TestInspector: the directive shows the deliveries of a real gateway only to
// authenticated users. The command shows the same.
func TestInspector(t *testing.T) {
	t.Parallel()
	app := harness.NewApplication(t)
	const password = "open sesame"
	hash, err := exec.Command(harness.Binary(t), "hash-password", "--plaintext", password).Output()
	if err != nil {
		t.Fatal(err)
	}
	site := harness.OpenSite(harness.Hook("/craneops", "craneops", app.Addr),
		"route /inspect/* {\nbasic_auth {\nalice "+strings.TrimSpace(string(hash))+"\n}\nwebhook_inspector\n}",
		"route /open/* {\nwebhook_inspector {\naccess route\n}\n}",
		"route /shut/* {\nwebhook_inspector\n}")
	g := harness.Start(t, site, harness.Secrets()...)
	g.Send(t, harness.CraneOps(`{"one":1}`)).Accepted(t)
	forged := harness.CraneOps(`{"two":2}`)
	g.Send(t, forged.Saying([]byte(`{"two":3}`))).Rejected(t, "signature_mismatch")

	read := func(path string, headers ...string) (int, string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, "http://"+g.Addr+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		if strings.HasPrefix(path, "/inspect/") {
			r.SetBasicAuth("alice", password)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	const says = "1 of 2 deliveries did not arrive"
	for _, path := range []string{"/inspect/", "/open/"} {
		if status, page := read(path); status != http.StatusOK || !strings.Contains(page, says) || !strings.Contains(page, "signature_mismatch") {
			t.Errorf("%s: %d %s", path, status, page)
		}
		if status, page := read(path, "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden || strings.Contains(page, "signature_mismatch") {
			t.Errorf("%s from another site: %d", path, status)
		}
	}
	for _, path := range []string{"/shut/", "/shut/style.css", "/shut/inbox"} {
		if status, page := read(path); status != http.StatusForbidden || !strings.Contains(page, "Write basic_auth before webhook_inspector") {
			t.Errorf("%s: %d %s", path, status, page)
		}
	}
	weaker, found := g.Log.Find(func(e harness.Entry) bool {
		return e.Text("msg") == "weaker choices are configured" && fmt.Sprint(e["choices"]) == "[webhook_inspector access route]"
	})
	if !found {
		t.Errorf("access route is not named at the start: %v", weaker)
	}

	b := newBrowser(t)
	tab := b.tab(t)
	tab.open(inspect(t, g.Admin))
	tab.says(says)
	g.Send(t, harness.CraneOps(`{"three":3}`)).Accepted(t)
	tab.says("1 of 3 deliveries did not arrive")
	tab.text("[...document.querySelectorAll('#rows tr.refused a')][0].click()")
	tab.says("Refused, and not passed on")
	tab.text("document.querySelector('.back a').click()")
	tab.holds("document.querySelector('#rows tr.arrived a')")
	tab.text("document.querySelector('#rows tr.arrived a').click()")
	tab.holds("document.readyState === 'complete' && document.querySelector('[action=allow] button')")
	tab.text("document.querySelector('[action=allow] button').click()")
	tab.holds("document.querySelector('#ask').open")
	tab.text("document.querySelector('#yes').click()")
	tab.says("Allowed again")
	g.Send(t, harness.CraneOps(`{"three":3}`)).Accepted(t)

	// An open page does not delay a reload.
	tab.open("http://" + g.Addr + "/open/")
	tab.says("1 of 4 deliveries did not arrive")
	if said, err := g.Reload(t, site+"\n# another\nrespond /other 204"); err != nil {
		t.Fatalf("the reload: %v\n%s", err, said)
	}
}
