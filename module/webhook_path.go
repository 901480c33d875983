package module

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() { caddy.RegisterModule(MatchWebhookPath{}) }

// MatchWebhookPath matches requests whose path an application may take for one
// of the given paths, however it is spelled.
//
// Use it where an application receives webhooks on one path and serves other
// requests too. A path matches if any order of these steps makes it equal: fold
// case, decode percent-encoding, read `\` as `/` and `+` as a space, remove empty and
// dot segments, a host after two slashes at the beginning, everything up to a
// program such as `index.php`, control characters, and what follows `;`, `?`, `#`,
// NUL or the dot of the last segment. A request target such as `x:webhook` always
// matches. A path that ends in `/*` also matches everything below it.
type MatchWebhookPath []string

// CaddyModule returns the Caddy module information.
func (MatchWebhookPath) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.matchers.webhook_path",
		New: func() caddy.Module { return new(MatchWebhookPath) },
	}
}

// UnmarshalCaddyfile reads the matcher. Syntax:
//
//	webhook_path <paths...>
func (m *MatchWebhookPath) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		*m = append(*m, d.RemainingArgs()...)
		if d.NextBlock(0) {
			return d.Err("webhook_path has no block; write its paths on one line")
		}
	}
	if err := m.Validate(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// Validate checks the paths.
func (m MatchWebhookPath) Validate() error {
	if len(m) == 0 {
		return errors.New("webhook_path: no path; write one such as /webhook")
	}
	for _, path := range m {
		if err := CheckWebhookPath(path); err != nil {
			return fmt.Errorf("webhook_path: %w", err)
		}
	}
	return nil
}

// CheckWebhookPath returns an error if a path cannot be matched. The error says
// what to write instead.
func CheckWebhookPath(path string) error {
	path = strings.TrimSuffix(path, everythingBelow)
	if !strings.HasPrefix(path, "/") || strings.Trim(path, "/") == "" || !isPlain(path) {
		return errors.New("this is not a path; write one such as /webhook, of letters, digits, - _ . ~ and /, with /* at its end for everything below it")
	}
	return nil
}

const everythingBelow = "/*"

// isPlain reports whether there is only one way to read a path.
func isPlain(path string) bool {
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '~', c == '/':
		case c == '.' && i > 0 && path[i-1] != '/' && path[i-1] != '.':
		default:
			return false
		}
	}
	return !strings.Contains(path, "//")
}

// Match reports whether the request's path may be one of the paths.
func (m MatchWebhookPath) Match(r *http.Request) bool {
	match, _ := m.MatchWithError(r)
	return match
}

// MatchWithError does the same; the error is always nil.
func (m MatchWebhookPath) MatchWithError(r *http.Request) (bool, error) {
	for _, path := range m {
		if mayBe(r.URL, path) {
			return true, nil
		}
	}
	return false, nil
}

// maxReadings is how many ways to read a path are tried. maxReadPath is the
// longest path, in bytes, that is read in more than one way. A path beyond
// these limits is not an honest one and counts as a match, which leaves it to
// the verification.
const (
	maxReadings = 512
	maxReadPath = 4 << 10
)

// mayBe reports whether an application may take the URL's path for the pattern.
// Applications, frameworks and proxies decode, cut and clean paths in orders of
// their own, so every order is tried.
func mayBe(u *url.URL, pattern string) bool {
	if u.Opaque != "" {
		return true // such as x:webhook, which Caddy passes on as it is
	}
	path, below := strings.CutSuffix(pattern, everythingBelow)
	want := bare(path)
	seen := map[string]bool{}
	var open []string
	add := func(reading string) {
		if !seen[reading] {
			seen[reading] = true
			open = append(open, reading)
		}
	}
	add(u.EscapedPath())
	add(u.Path)
	for len(open) > 0 {
		reading := open[len(open)-1]
		open = open[:len(open)-1]
		got := bare(reading)
		if strings.EqualFold(got, want) || below && len(got) > len(want) && got[len(want)] == '/' && strings.EqualFold(got[:len(want)], want) {
			return true
		}
		if isPlain(reading) && !strings.Contains(reading, ".") {
			continue // there is no other way to read it
		}
		if len(seen) > maxReadings || len(reading) > maxReadPath {
			return true
		}
		for _, step := range pathSteps {
			add(step(reading))
		}
	}
	return false
}

// pathSteps are the changes that are tried on paths before they are compared.
// None of them makes a path longer.
var pathSteps = []func(string) string{
	decoded,
	func(p string) string { return strings.ReplaceAll(p, `\`, "/") },
	func(p string) string { return cleaned(p, true) },
	func(p string) string { return cleaned(p, false) },
	withoutParameters,
	func(p string) string { return before(p, ";") },
	func(p string) string { return before(p, "?#\x00") },
	withoutControls,
	withoutAuthority,
	withoutScript,
	func(p string) string { return strings.ReplaceAll(p, "+", " ") },
}

// bare is a path in the form in which it is compared: without empty segments and
// without the last segment's dot and what follows it.
func bare(path string) string {
	path = cleaned(path, false)
	last := strings.LastIndexByte(path, '/') + 1
	if dot := strings.IndexByte(path[last:], '.'); dot >= 0 {
		path = cleaned(path[:last+dot], false)
	}
	return path
}

// withoutAuthority drops the host of a path that begins with two slashes: a program
// that reads the path as a URL takes it for one without a scheme.
func withoutAuthority(path string) string {
	rest := strings.TrimLeft(path, "/")
	if len(path)-len(rest) < 2 {
		return path
	}
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// scripts is a segment that names a program which gets the rest of the path.
var scripts = regexp.MustCompile(`(?i)^.*?\.(php[0-9]?|phtml|f?cgi|pl|py|rb|aspx?|ashx|jspx?|cfm)/`)

// withoutScript drops a path up to the first such segment.
func withoutScript(path string) string {
	if found := scripts.FindString(path); found != "" {
		return path[len(found)-1:]
	}
	return path
}

// cleaned drops empty and dot segments. With climb, two dots remove the
// previous segment.
func cleaned(path string, climb bool) string {
	var kept []string
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "", ".":
		case "..":
			if climb && len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// withoutParameters drops everything after a semicolon in each segment.
func withoutParameters(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = before(segment, ";")
	}
	return strings.Join(segments, "/")
}

// before returns the text before the first of some characters.
func before(path, chars string) string {
	if i := strings.IndexAny(path, chars); i >= 0 {
		return path[:i]
	}
	return path
}

// withoutControls drops control characters, and blanks of any kind at the end.
func withoutControls(path string) string {
	return strings.TrimRightFunc(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, path), unicode.IsSpace)
}

// decoded decodes percent-encoding once and leaves invalid sequences as they
// are, as lenient applications do.
func decoded(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			if c, err := url.PathUnescape(path[i : i+3]); err == nil {
				out.WriteString(c)
				i += 2
				continue
			}
		}
		out.WriteByte(path[i])
	}
	return out.String()
}

// Interface guards
var (
	_ caddy.Validator                   = (*MatchWebhookPath)(nil)
	_ caddyfile.Unmarshaler             = (*MatchWebhookPath)(nil)
	_ caddyhttp.RequestMatcherWithError = (*MatchWebhookPath)(nil)
)
