package e2e

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// foreignHost is another site, whose name the browser resolves to this machine.
const foreignHost = "evil.example"

// browser is a Chromium without a screen.
type browser struct{ ctx context.Context }

func newBrowser(t *testing.T) browser {
	t.Helper()
	harness.Needs(t, "chromium")
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(harness.Patience),
		chromedp.Flag("host-resolver-rules", "MAP "+foreignHost+" 127.0.0.1"),
	)
	if os.Geteuid() == 0 { // Chromium refuses to run as root in its sandbox
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(closeBrowser)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return browser{ctx}
}

// tab is a browser tab that records its requests and its errors.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	urls       []string
	complaints []string
}

// tab opens a tab for a test. All its actions together must take less than
// twice harness.Patience.
func (b browser) tab(t *testing.T) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil { // a timeout here would end the browser
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*harness.Patience)
	t.Cleanup(cancel)
	tab := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, tab.listen); err != nil {
		t.Fatal(err)
	}
	tab.run(call(log.Enable, cdp.Empty{}), call(network.Enable, network.EnableParams{}))
	return tab
}

// call turns a command of the browser's protocol into an action.
func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

func (tab *tab) listen(event any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		tab.urls = append(tab.urls, e.Request.URL)
	case *log.EventEntryAdded:
		tab.complaints = append(tab.complaints, e.Entry.Text+" "+e.Entry.URL)
	case *runtime.EventExceptionThrown:
		tab.complaints = append(tab.complaints, e.ExceptionDetails.Text)
	case *page.EventJavascriptDialogOpening:
		tab.complaints = append(tab.complaints, "a dialog: "+e.Message)
	}
}

// said returns the errors of the browser so far.
func (tab *tab) said() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return append([]string(nil), tab.complaints...)
}

// asked returns the addresses that the tab has loaded so far.
func (tab *tab) asked() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return append([]string(nil), tab.urls...)
}

func (tab *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	if err := chromedp.Do(tab.ctx, actions...); err != nil {
		tab.t.Fatal(err)
	}
}

func (tab *tab) open(url string) {
	tab.t.Helper()
	tab.run(chromedp.Navigate(url))
}

// text evaluates an expression that returns a string.
func (tab *tab) text(expression string) string {
	tab.t.Helper()
	result, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		tab.t.Fatal(err)
	}
	return result
}

// later evaluates an asynchronous function that returns a string.
func (tab *tab) later(function string) string {
	tab.t.Helper()
	result, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string]("("+function+")()", chromedp.EvalAwaitPromise))
	if err != nil {
		tab.t.Fatal(err)
	}
	return result
}

// holds waits until an expression is true.
func (tab *tab) holds(expression string) {
	tab.t.Helper()
	harness.Poll(tab.t, expression, func() bool {
		// While one page replaces another, there is no page to evaluate it in.
		holds, err := chromedp.Run(tab.ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		return err == nil && holds
	})
}

// says waits until the page contains a text.
func (tab *tab) says(text string) {
	tab.t.Helper()
	tab.holds("document.body && document.body.innerText.includes(" + quoteForScript(text) + ")")
}

func quoteForScript(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`).Replace(s) + "'"
}

// look sets the size of the screen and the color scheme.
func (tab *tab) look(width, height int64, scheme string) {
	tab.t.Helper()
	tab.run(
		chromedp.EmulateViewport(width, height),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
	)
}
