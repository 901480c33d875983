package module

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"
)

func pathOf(t *testing.T, target string) *url.URL {
	t.Helper()
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestWebhookPath checks spellings that applications take for a path, and
// spellings that no application does.
func TestWebhookPath(t *testing.T) {
	same := []string{
		"/webhook", "/webhook?x=1", "/webhook/", "//webhook", "/webhook//", "/WebHook", "/./webhook", "/webhook/.",
		"/x/../webhook", "/../webhook", "/webhook/x/..", "/%77ebhook", "/%2577ebhook", "/%25252577ebhook", "/%57EBHOOK",
		"/webhook%2f", "/%2fwebhook", "/%252e%252e/webhook", "/x/%2e%2e/webhook", "/x%2f..%2fwebhook",
		"/webhook;v=1", "/webhook;", "/;x/webhook", "/x/..;y/webhook", "/x/..;a%2fb/webhook", "/x;%2fz/%2e%2e/webhook", "/webhook%3bv=1", "/webhook;/../x",
		`/\webhook`, `/x\..\webhook`, "/%5cwebhook", "/x%255c..%255cwebhook", "/webhook%00", "/webhook%00.html", "/webhook%2500x",
		"/webhook.json", "/webhook.", "/webhook%2ejson", "/webhook.tar.gz", "/webhook%20", "/webhook%0a", "/web%09hook", "/webhook%3fx", "/webhook%23x",
		"/%zz/../webhook",

		// What Caddy passes on of these is read as a URL, whose path is the webhook's.
		"x:http://app/webhook", "x:webhook", "x:/webhook", "http:webhook",
		"//y/webhook", "///y/webhook", "//u:p@y:80/webhook", "//y/x/../webhook", `/\y/webhook`, "//y%2fwebhook",
		// Programs that get the rest of the path after their own name.
		"/index.php/webhook", "/a/index.php/webhook", "/app.fcgi/webhook", "/INDEX.PHP/webhook", "/index.php7/webhook",
		// Blanks that some applications trim, and an extension that is all of a name.
		"/webhook%c2%a0", "/webhook%e3%80%80", "/webhook+", "/webhook%2b", "/webhook/.php",
	}
	other := []string{
		"/", "/other", "/webhooks", "/web/hook", "/webhook/x", "/webhook-x", "/x/webhook", "/x.webhook", "/.webhook", "/webhook/../x", "/webhook%2fx", "//y/z/webhook", "/v1.2/webhook", "/webhook+x", "/y.phpx/webhook",
	}
	for _, target := range same {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			u = &url.URL{Path: target} // net/http refuses it; another server may not
		}
		if !mayBe(u, "/webhook") {
			t.Errorf("%s does not match", target)
		}
	}
	for _, target := range other {
		if mayBe(pathOf(t, target), "/webhook") {
			t.Errorf("%s matches", target)
		}
	}
	for target, want := range map[string]bool{
		"/hooks": true, "/hooks/": true, "/hooks/x": true, "/HOOKS/x/y": true, "/hooks%2fx": true, "/a/../hooks/x": true,
		"/hooksx": false, "/x/hooks": false,
	} {
		if got := mayBe(pathOf(t, target), "/hooks/*"); got != want {
			t.Errorf("%s: %v", target, got)
		}
	}
	if !mayBe(pathOf(t, "/hook.php"), "/hook.php") || !mayBe(pathOf(t, "/hook.php/"), "/hook.php") {
		t.Error("a path with a dot does not match itself")
	}
}

// TestWebhookPathEndless: a path with too many readings, or too long for them,
// counts as a match. A long one that can be read in one way does not.
func TestWebhookPathEndless(t *testing.T) {
	if !mayBe(&url.URL{Path: "/%" + strings.Repeat("25", maxReadings) + "41"}, "/webhook") {
		t.Error("a path with endless readings does not match")
	}
	long := "/" + strings.Repeat("a", maxReadPath)
	if !mayBe(&url.URL{Path: long + "%25"}, "/webhook") {
		t.Error("a path that is too long to be read in many ways does not match")
	}
	if mayBe(&url.URL{Path: long}, "/webhook") {
		t.Error("a long path that can be read in one way matches")
	}
}

// readers are the ways in which applications, frameworks and proxies read a
// path. Real ones combine several of them, in different orders.
var readers = []func(string) string{
	func(p string) string { return strings.ToLower(p) },
	func(p string) string {
		if u, err := url.PathUnescape(p); err == nil {
			return u
		}
		return p
	},
	func(p string) string { return path.Clean("/" + p) },
	func(p string) string { return strings.ReplaceAll(p, `\`, "/") },
	func(p string) string { return strings.ReplaceAll(p, "//", "/") },
	func(p string) string { return strings.TrimSuffix(p, "/") },
	func(p string) string { before, _, _ := strings.Cut(p, ";"); return before },
	func(p string) string { before, _, _ := strings.Cut(p, "\x00"); return before },
	func(p string) string { return strings.TrimSuffix(p, path.Ext(p)) },
	func(p string) string {
		segments := strings.Split(p, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		return strings.Join(segments, "/")
	},
}

// FuzzWebhookPath checks that the matcher matches every path that an
// application can turn into the path of the webhooks.
func FuzzWebhookPath(f *testing.F) {
	for _, target := range []string{
		"/webhook", "/x/..;a%2fb/webhook", "/%2577ebhook", `/x\..\webhook;`, "/webhook%2500.html", "/webhook.json", "/WEBHOOK//",
		"/x;%2fz/%2e%2e/webhook", "/webhook;/../x", "/a/b/../../webhook/.",
	} {
		f.Add(target, []byte{1, 9, 2, 3, 0})
		f.Add(target, []byte{9, 1, 1, 3, 2, 0, 5})
	}
	f.Fuzz(func(t *testing.T, target string, order []byte) {
		u, err := url.ParseRequestURI(target)
		if err != nil || u.Host != "" || len(order) > 12 || len(target) > 200 {
			return
		}
		read := u.EscapedPath()
		for _, step := range order {
			read = readers[int(step)%len(readers)](read)
			if read == "/webhook" && !mayBe(u, "/webhook") {
				t.Fatalf("an application reads %q as /webhook by %v, and it does not match", target, order)
			}
		}
	})
}

func TestWebhookPathChecked(t *testing.T) {
	for _, path := range []string{"", "/", "//", "webhook", "/a b", "/a/../b", "/./a", "/%77", "/*", "/a*", "/a//b", "/a;b", "/{path}", "/a\x00", "/a..b"} {
		if CheckWebhookPath(path) == nil {
			t.Errorf("%q is a path", path)
		}
	}
	for _, path := range []string{"/webhook", "/a/b", "/a-b_c~d.e", "/a/", "/a/*", "/a.php"} {
		if err := CheckWebhookPath(path); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
	r, _ := http.NewRequest(http.MethodPost, "http://a/b", nil)
	if m := (MatchWebhookPath{"/a", "/b"}); !m.Match(r) {
		t.Error("the second path does not match")
	}
}
