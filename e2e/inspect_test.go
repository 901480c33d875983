package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// inspect starts the command, and returns the address that it prints.
func inspect(t *testing.T, admin string) string {
	t.Helper()
	said := new(harness.LogBook)
	cmd := exec.Command(harness.Binary(t), "webhook", "inspect", "--address", admin)
	cmd.Env = harness.BareEnv(t.TempDir())
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := <-exited; err != nil {
			t.Errorf("after Ctrl-C: %v", err)
		}
	})
	harness.Await(t, &said.Notice, "the page's address", func() bool { return strings.Contains(said.String(), "/\n") })
	return strings.TrimSpace(said.String())
}

// TestPage uses the page in Chromium, as a user does.
func TestPage(t *testing.T) {
	t.Parallel()
	chromium := newBrowser(t)
	for name, test := range map[string]func(*testing.T, browser){
		"live": pageIsLive, "filters": pageKeepsFilters, "address": pageHasAddresses, "keyboard": pageByKeyboard,
		"markup": pageShowsMarkup, "attacks": pageUnderAttack, "connection": pageHoldsOneConnection,
		"accessible": pageIsAccessible, "telephone": pageOnTelephone,
	} {
		t.Run(name, func(t *testing.T) { test(t, chromium) })
	}
}

// pageIsLive: new deliveries appear without a reload, and the lines that the
// user is reading do not move.
func pageIsLive(t *testing.T, b browser) {
	admin := newAdminEndpoint(t)
	tab := b.tab(t)
	tab.open(inspect(t, admin.addr))
	tab.says("No delivery has come yet")
	tab.text("window.mark = 'the same page'")
	first := admin.add(nil)
	tab.says("The one delivery arrived")
	tab.text(fmt.Sprintf("document.querySelector('#d%d a').focus()", first))
	second := admin.add(refused("signature_mismatch"))
	tab.says("1 of 2 deliveries did not arrive")
	tab.says("None of the configured secrets produces this signature")
	if rows := tab.text("[...document.querySelectorAll('#rows tr')].map(r => r.id)"); rows != fmt.Sprintf("d%d,d%d", second, first) {
		t.Errorf("the rows are %s", rows)
	}
	if focus := tab.text("document.activeElement.textContent"); focus != fmt.Sprint(first) {
		t.Errorf("the focus went to %q", focus)
	}
	if tab.text("window.mark") != "the same page" {
		t.Error("the page was loaded again")
	}
}

// pageKeepsFilters: the address contains the filters, so a reload and a
// bookmark show the same list.
func pageKeepsFilters(t *testing.T, b browser) {
	admin := newAdminEndpoint(t)
	admin.add(nil)
	wanted := admin.add(refused("stale", "provider", "github"))
	admin.add(refused("stale"))
	tab := b.tab(t)
	tab.open(inspect(t, admin.addr))
	only := fmt.Sprintf("document.querySelectorAll('#rows tr').length === 1 && document.querySelector('#d%d')", wanted)
	tab.holds("document.querySelectorAll('#rows tr').length === 3")
	tab.text("[...document.querySelectorAll('#verdicts a')].find(a => a.textContent === 'Rejected').click()")
	tab.holds("location.search === '?verdict=rejected' && document.querySelectorAll('#rows tr').length === 2")
	tab.text("(s => { s.value = 'github'; s.dispatchEvent(new Event('change', {bubbles: true})) })(document.querySelector('[name=provider]'))")
	tab.holds("location.search === '?verdict=rejected&provider=github' && " + only)
	tab.run(chromedp.Reload())
	tab.holds(only + " && document.querySelector('[name=provider]').value === 'github'")
	tab.open(tab.text("location.href"))
	tab.holds(only)
}

// pageHasAddresses: a delivery is opened by its number.
func pageHasAddresses(t *testing.T, b browser) {
	admin := newAdminEndpoint(t)
	number := admin.add(refused("stale"))
	address := inspect(t, admin.addr)
	tab := b.tab(t)
	tab.open(address + fmt.Sprint(number))
	tab.says("Refused, and not passed on")
	tab.says("signed too long ago")
	tab.text("document.querySelector('.back a').click()")
	tab.holds(fmt.Sprintf("document.querySelector('#d%d')", number))
	tab.text(fmt.Sprintf("document.querySelector('#d%d a').click()", number))
	tab.says("Refused, and not passed on")
	tab.open(address + "1")
	tab.says("No delivery has this number any more")
}

// both merges the fields of a delivery.
func both(a, b map[string]any) map[string]any {
	joined := maps.Clone(a)
	maps.Copy(joined, b)
	return joined
}

// pageByKeyboard: Tab reaches every control, in the list and on a delivery, and
// a button asks for confirmation.
func pageByKeyboard(t *testing.T, b browser) {
	admin := newAdminEndpoint(t)
	number := admin.add(captured(map[string][]string{"Authorization": {"Bearer x"}}, `{"a":{"b":1}}`))
	admin.add(both(refused("stale"), captured(nil, "{}")))
	address := inspect(t, admin.addr)
	tab := b.tab(t)
	for _, path := range []string{"", fmt.Sprint(number), fmt.Sprintf("%d?view=tree", number)} {
		tab.open(address + path)
		tab.holds("document.querySelector('#main') && document.readyState === 'complete'")
		if path == "" {
			tab.holds("document.querySelector('#live button')")
		}
		tab.text(`(() => {
			window.usable = [...document.querySelectorAll('a, button, input:not([type=hidden]), select, summary, [tabindex="0"]')].filter(e => e.checkVisibility())
			window.reached = new Set()
			document.activeElement.blur()
		})()`)
		for range 100 {
			tab.run(chromedp.KeyEvent(kb.Tab))
			if tab.text("(reached.add(document.activeElement), usable.every(e => reached.has(e)))") == "true" {
				break
			}
		}
		if missed := tab.text("usable.filter(e => !reached.has(e) && e.isConnected).map(e => e.outerHTML).join('\\n')"); missed != "" {
			t.Errorf("Tab does not come to, on the page %q:\n%s", path, missed)
		}
	}

	tab.open(address + fmt.Sprint(number))
	tab.holds("document.readyState === 'complete' && document.querySelector('[action=deliver] button')")
	tab.text("document.querySelector('[action=deliver] button').focus()")
	tab.run(chromedp.KeyEvent(kb.Enter))
	tab.holds("document.querySelector('#ask').open && document.activeElement.id === 'no'")
	tab.run(chromedp.KeyEvent(kb.Escape))
	tab.holds("!document.querySelector('#ask').open && document.activeElement.closest('[action=deliver]')")
	if written := admin.written(); len(written) != 0 {
		t.Errorf("Escape did %q", written)
	}
	tab.run(chromedp.KeyEvent(kb.Enter))
	tab.holds("document.querySelector('#ask').open && document.activeElement.id === 'no'")
	tab.run(chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	tab.says("Delivered again: the application answered 200.")
	if written := admin.written(); !slices.Equal(written, []string{fmt.Sprintf("POST /verify_webhook/deliveries/%d/deliver", number)}) {
		t.Errorf("the button did %q", written)
	}
}

// pageShowsMarkup: every page shows a sender's values as text; it runs none of
// them and loads nothing from other sites.
func pageShowsMarkup(t *testing.T, b browser) {
	const hostile = "</script><script>window.pwned=1</script><img src=x onerror=\"window.pwned=1\">'\"><base href=//" + foreignHost + "/>\u202e"
	admin := newAdminEndpoint(t)
	fields := map[string]any{"explained_by": hostile, "what_to_do": hostile}
	for _, name := range []string{"provider", "scheme", "tenant", "reason", "id", "event", "client", "method", "path", "inbox", "hint"} {
		fields[name] = hostile
	}
	body := `{"` + strings.ReplaceAll(hostile, `"`, `\"`) + `":["` + strings.ReplaceAll(hostile, `"`, `\"`) + `"]}`
	var numbers []int
	for _, verdict := range []string{"rejected", "accepted", "duplicate", hostile} {
		d := both(captured(map[string][]string{hostile: {hostile}, "Cookie": {hostile}}, body), fields)
		d["verdict"], d["uri"] = verdict, hostile
		numbers = append(numbers, admin.add(d))
	}
	admin.inbox = []map[string]any{{"provider": hostile, "id": hostile, "state": hostile, "last_error": hostile, "event": hostile, "tenant": hostile}}
	address := inspect(t, admin.addr)
	tab := b.tab(t)
	paths := []string{"", "inbox", "?id=%22%3E%3Cscript%3Ewindow.pwned=1%3C/script%3E"}
	for _, n := range numbers {
		for _, view := range []string{"text", "tree", "bytes"} {
			paths = append(paths, fmt.Sprintf("%d?view=%s", n, view))
		}
	}
	for _, path := range paths {
		tab.open(address + path)
		tab.holds("document.querySelector('#main') && document.readyState === 'complete'")
		if found := tab.text("[window.pwned, document.querySelectorAll('main script, main img, base, iframe, object, embed').length]"); found != ",0" {
			t.Errorf("%s: %s", path, found)
		}
		if !strings.HasPrefix(path, "?") && tab.text("document.body.textContent.includes('<script>window.pwned=1</script>')") != "true" && !strings.HasSuffix(path, "bytes") {
			t.Errorf("%s does not show the text", path)
		}
		if tab.text("document.body.innerText.includes('\\u202e')") != "false" {
			t.Errorf("%s turns the direction of writing", path)
		}
	}
	if said := tab.said(); len(said) != 0 {
		t.Errorf("the browser complained: %q", said)
	}
	for _, url := range tab.asked() {
		if !strings.HasPrefix(url, address) {
			t.Errorf("the page asked for %s", url)
		}
	}
	// The policy would also stop a script that got into the page.
	tab.text("(s => { s.textContent = 'window.pwned = 1'; document.body.append(s) })(document.createElement('script'))")
	tab.text("(i => { i.src = 'http://" + foreignHost + "/x.png'; document.body.append(i) })(document.createElement('img'))")
	harness.Poll(t, "the policy's complaints", func() bool { return len(tab.said()) >= 2 })
	if tab.text("window.pwned") != "undefined" {
		t.Error("an inline script ran")
	}
}

// pageUnderAttack: another site in the same browser, a name that resolves to
// this machine, and an address without the token can read nothing and do
// nothing.
func pageUnderAttack(t *testing.T, b browser) {
	admin := newAdminEndpoint(t)
	number := admin.add(captured(map[string][]string{"Cookie": {"session=secret-of-a-sender"}}, `{"card":"4242"}`))
	address := inspect(t, admin.addr)
	site := strings.Join(strings.Split(address, "/")[:3], "/") // without the token

	// The worst case: the other site knows the address, token and all.
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<!doctype html><title>evil</title><iframe id=frame src='%[1]s'></iframe><script>window.page='%[1]s', window.number=%[2]d</script>", address, number)
	}))
	t.Cleanup(evil.Close)
	evilURL := strings.Replace(evil.URL, "127.0.0.1", foreignHost, 1)
	tab := b.tab(t)
	tab.open(evilURL)
	said := tab.later(`async () => {
		const all = []
		const note = async (what, act) => { try { all.push(what + ': ' + await act()) } catch { all.push(what + ' failed') } }
		for (const path of ['', number, 'body.json?number=' + number, 'headers.txt?number=' + number, 'news', 'style.css']) {
			await note('read', async () => (await fetch(page + path)).status)
		}
		for (const button of ['deliver', 'allow', 'erase', 'rejudge', 'retry', 'drop']) {
			const body = new URLSearchParams({ number, provider: 'stripe', id: 'evt_1' })
			await note('press', async () => (await fetch(page + button, { method: 'POST', body })).status)
			await fetch(page + button, { method: 'POST', body, mode: 'no-cors' }).catch(() => {})
		}
		return all.join(', ')
	}`)
	if want := strings.Repeat("read failed, ", 6) + strings.TrimSuffix(strings.Repeat("press failed, ", 6), ", "); said != want {
		t.Errorf("another site: %s", said)
	}
	// A form, which navigates the whole tab.
	for _, button := range []string{"deliver", "allow", "erase", "rejudge", "retry", "drop"} {
		tab.open(evilURL)
		tab.text(`(() => { document.body.insertAdjacentHTML('beforeend', '<form method=post action="' + page + '` + button + `"><input name=number value=' + number + '><input name=provider value=stripe><input name=id value=x></form>'); document.forms[0].submit() })()`)
		tab.says("came from another")
	}
	// As a link.
	tab.open(evilURL)
	tab.text("void (location.href = page + number)")
	tab.says("came from another")
	if text := tab.text("document.documentElement.outerHTML"); strings.Contains(text, "4242") {
		t.Error("the page was shown to a tab that another site leads")
	}
	// A name that its owner points to this machine.
	tab.open(strings.Replace(address, "127.0.0.1", foreignHost, 1))
	tab.says("served on this machine only")
	if written := admin.written(); len(written) != 0 {
		t.Errorf("another site did %q", written)
	}
	if admin.listed() != 0 {
		t.Error("another site made the page read the list")
	}

	// Without the token.
	for _, path := range []string{"/", "/style.css", "/inbox", fmt.Sprintf("/%d", number), "/aaaaaaaaaaaaaaaaaaaaaaaaaa/"} {
		tab.open(site + path)
		tab.says("Use the whole address")
	}
	// Typed by hand, with the token.
	tab.open(address + fmt.Sprint(number))
	tab.says("Arrived")
	if tab.text("document.querySelector('.headers summary').textContent + document.querySelector('.headers details').open") != "maskedfalse" {
		t.Error("the cookie is not masked")
	}
	if strings.Contains(tab.text("document.body.innerText"), "secret-of-a-sender") {
		t.Error("the cookie is shown")
	}
	tab.text("document.querySelector('.headers summary').click()")
	tab.says("secret-of-a-sender")
}

// pageHoldsOneConnection: only the list keeps a connection open, and only while
// its tab is visible.
func pageHoldsOneConnection(t *testing.T, b browser) {
	admin := newAdminEndpoint(t)
	number := admin.add(nil)
	address := inspect(t, admin.addr)
	tab := b.tab(t)
	following := func(n int) {
		t.Helper()
		harness.Await(t, &admin.notice, fmt.Sprintf("%d followers", n), func() bool { return admin.following() == n })
	}
	see := func(hidden bool) {
		tab.text(fmt.Sprintf("(Object.defineProperty(document, 'hidden', {value: %v, configurable: true}), document.dispatchEvent(new Event('visibilitychange')))", hidden))
	}
	tab.open(address)
	following(1)
	see(true)
	following(0)
	before := admin.listed()
	admin.add(nil)
	if admin.listed() != before {
		t.Error("a page that is not seen reads the list")
	}
	see(false)
	tab.says("All 2 deliveries arrived")
	following(1)
	tab.text("document.querySelector('#live button').click()")
	tab.says("Paused")
	following(0)
	tab.text("document.querySelector('#live button').click()")
	following(1)
	tab.open(address + fmt.Sprint(number))
	tab.says("Arrived")
	following(0)
}

// stock fills an endpoint with one delivery of every kind.
func (a *adminEndpoint) stock() (acceptedOne, refusedOne int) {
	for range 30 {
		a.add(nil)
	}
	acceptedOne = a.add(captured(map[string][]string{"Authorization": {"Bearer x"}, "Content-Type": {"application/json"}}, `{"a":[1,"two",null],"b":{"c":true}}`))
	a.add(map[string]any{"verdict": "duplicate", "reason": "duplicate", "application": nil})
	a.add(map[string]any{"provider": "shopify", "status": 502, "application": 502})
	a.add(map[string]any{"provider": "github", "application": 503, "inbox": "kept", "tenant": "acme"})
	refusedOne = a.add(both(refused("signature_mismatch"), captured(map[string][]string{"Cookie": {"a=b"}}, "{\r\n  \"a\": 1 \r\n}\u200b")))
	a.inbox = []map[string]any{
		{"provider": "github", "id": "72d3162e", "state": "waiting", "attempts": 2, "last_status": 503, "received_at": "2026-01-31T12:00:00Z"},
		{"provider": "github", "id": "72d3162f", "state": "dead", "attempts": 9, "last_error": "connection refused", "received_at": "2026-01-31T12:00:00Z"},
	}
	return acceptedOne, refusedOne
}

// pageIsAccessible: axe finds no violation on any page, light and dark.
func pageIsAccessible(t *testing.T, b browser) {
	npmInstalled(t, "axe")
	axe, err := os.ReadFile(filepath.Join("axe", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	admin := newAdminEndpoint(t)
	acceptedOne, refusedOne := admin.stock()
	address := inspect(t, admin.addr)
	for _, scheme := range []string{"light", "dark"} {
		tab := b.tab(t)
		tab.look(1200, 900, scheme)
		for _, path := range []string{
			"", "?id=none", "?verdict=rejected&tenant=x", "inbox", "nothing", "1",
			fmt.Sprint(acceptedOne), fmt.Sprintf("%d?view=tree", acceptedOne), fmt.Sprintf("%d?view=bytes", refusedOne), fmt.Sprint(refusedOne),
		} {
			tab.open(address + path)
			tab.holds("document.querySelector('#main') && document.readyState === 'complete'")
			// Use the browser's protocol, because the page's policy blocks
			// scripts.
			tab.run(chromedp.Evaluate[chromedp.Void](string(axe)))
			found := tab.later(`async () => (await axe.run(document, { resultTypes: ['violations'] })).violations
				.map(v => v.id + ' ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join('; ')).join('\n')`)
			if found != "" {
				t.Errorf("%s, %q: %s", scheme, path, found)
			}
		}
	}
}

// pageOnTelephone: nothing is wider than a narrow screen.
func pageOnTelephone(t *testing.T, b browser) {
	admin := newAdminEndpoint(t)
	acceptedOne, refusedOne := admin.stock()
	admin.add(map[string]any{"id": strings.Repeat("x", 256), "event": strings.Repeat("y", 256), "path": "/" + strings.Repeat("z", 250)})
	address := inspect(t, admin.addr)
	tab := b.tab(t)
	tab.look(360, 740, "light")
	for _, path := range []string{"", "inbox", fmt.Sprint(acceptedOne), fmt.Sprintf("%d?view=bytes", refusedOne), fmt.Sprint(refusedOne)} {
		tab.open(address + path)
		tab.holds("document.querySelector('#main') && document.readyState === 'complete'")
		if width := tab.text("document.documentElement.scrollWidth"); width != "360" {
			t.Errorf("%q is %s wide", path, width)
		}
	}
}
