package webhook

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// proxyConfig holds the checked options of the proxy.
type proxyConfig struct {
	from, to  string // host:port, and an upstream of reverse_proxy
	verified  []verifiedScheme
	path      string // empty: any
	passRest  bool
	observe   bool
	publicURL string
	inbox     string // a file; empty: none
	capture   bool
	page      string // the address of the page, on loopback; empty: none
	admin     string // empty: off
	printed   bool   // for hooklatch run, where nothing else says what arrived
}

// verifiedScheme is a scheme with its secrets as placeholders.
type verifiedScheme struct {
	schemes.Scheme
	secrets []string
}

// signatureHeaders returns the names of the header in which a scheme's
// signature arrives.
func (s verifiedScheme) signatureHeaders() []string {
	names := []string{s.SignatureHeader()}
	for _, alias := range s.AliasHeaders() {
		if strings.HasSuffix(strings.ToLower(alias), signatureSuffix(s.SignatureHeader())) {
			names = append(names, alias)
		}
	}
	return names
}

// signatureSuffix returns the last part of a header's name, which its aliases
// share: svix-signature is an alias of webhook-signature, and svix-id is not.
func signatureSuffix(name string) string {
	name = strings.ToLower(name)
	return name[strings.LastIndexByte(name, '-')+1:]
}

// sharedHeader finds two schemes with the same signature header, whose
// deliveries cannot be distinguished.
func sharedHeader(list []verifiedScheme) (one, other, header string, found bool) {
	for i, a := range list {
		for _, b := range list[:i] {
			for _, name := range a.signatureHeaders() {
				if slices.ContainsFunc(b.signatureHeaders(), func(n string) bool { return strings.EqualFold(n, name) }) {
					return b.Name(), a.Name(), name, true
				}
			}
		}
	}
	return "", "", "", false
}

// globalOptions returns the global options for a process that leaves no files
// and ends soon after Ctrl-C. Without an address it has no admin endpoint,
// because another Caddy may use the default one.
func globalOptions(admin string) []string {
	if admin == "" {
		admin = "off"
	}
	return []string{"admin " + admin, "persist_config off", "storage_check off", "storage_clean_interval off", "grace_period " + graceSeconds + "s"}
}

// graceSeconds is how long a process that ends waits for the application.
const graceSeconds = "10"

// caddyfile returns the configuration in a form that the user can go on
// editing.
func (p proxyConfig) caddyfile() string {
	w := new(caddyfileWriter)
	w.open("")
	if p.page != "" && p.admin != "" {
		w.line("# The page: hooklatch webhook inspect --address " + p.admin)
	}
	for _, option := range globalOptions(p.admin) {
		w.line(option)
	}
	w.open("log")
	if !p.printed { // each delivery is a line of the command
		w.line("level ERROR")
	}
	w.open("format filter")
	for _, s := range p.verified {
		for _, name := range s.signatureHeaders() {
			w.line("request>headers>" + http.CanonicalHeaderKey(name) + " delete")
		}
	}
	w.line(`request>uri regexp \?.* ?REDACTED`)
	w.close()
	w.close()
	w.close()
	w.blank()

	host, port := splitFrom(p.from)
	w.open("http://:" + port)
	if host != "" {
		w.line("bind " + quoted(host))
	}
	if p.printed {
		w.line("log # each request, with webhook_verdict, webhook_reason, webhook_id")
	}
	if host != "" || p.printed {
		w.blank()
	}
	p.writeVerified(w)
	p.writeRest(w)
	w.close()
	return w.String()
}

// writeVerified writes the route for deliveries.
func (p proxyConfig) writeVerified(w *caddyfileWriter) {
	if p.path == "" {
		w.open("route")
	} else {
		w.line("@webhook webhook_path " + p.path)
		w.open("route @webhook")
	}
	// A request without any signature header goes to the first scheme, which
	// reports that the signature is missing.
	first := p.verified[0]
	for i, s := range p.verified {
		if i > 0 {
			p.writeMatcher(w, i)
			w.open("route @" + s.Name())
			p.writeHandler(w, s)
			w.close()
		}
	}
	p.writeHandler(w, first)
	w.close()
}

// writeMatcher writes a matcher for deliveries that have the signature header
// of a scheme, and of no scheme before it.
func (p proxyConfig) writeMatcher(w *caddyfileWriter, i int) {
	s := p.verified[i]
	w.open("@" + s.Name())
	if names := s.signatureHeaders(); len(names) == 1 {
		w.line("header " + names[0] + " *")
	} else {
		tests := make([]string, len(names))
		for i, name := range names {
			tests[i] = "header({'" + name + "': '*'})"
		}
		w.line("expression " + strings.Join(tests, " || "))
	}
	for _, before := range p.verified[:i] {
		for _, name := range before.signatureHeaders() {
			w.line("not header " + name + " *")
		}
	}
	w.close()
}

func (p proxyConfig) writeHandler(w *caddyfileWriter, s verifiedScheme) {
	words := make([]string, 0, 2+len(s.secrets))
	words = append(words, "verify_webhook", s.Name())
	for _, secret := range s.secrets {
		words = append(words, quoted(secret))
	}
	directive := strings.Join(words, " ")
	var options []string
	if p.publicURL != "" && s.SignsRequest() {
		options = append(options, "public_url "+quoted(p.publicURL))
	}
	if p.observe {
		options = append(options, "observe")
	}
	if p.inbox != "" {
		options = append(options, "inbox file "+quoted(p.inbox))
	}
	if p.capture {
		options = append(options, captureAll...)
	}
	if options == nil {
		w.line(directive)
	} else {
		w.open(directive)
		for _, option := range options {
			w.line(option)
		}
		w.close()
	}
	p.writeProxy(w)
}

// writeProxy writes the proxy to the application, which ignores HTTP_PROXY. For
// loopback it needs no option, since Go never uses HTTP_PROXY there.
func (p proxyConfig) writeProxy(w *caddyfileWriter) {
	directive := "reverse_proxy " + quoted(p.to)
	if onLoopback(p.to) {
		w.line(directive)
		return
	}
	w.open(directive)
	w.open("transport http")
	w.line("network_proxy none")
	w.close()
	w.close()
}

// onLoopback reports whether the host of a URL is a loopback address or
// localhost.
func onLoopback(to string) bool {
	u, err := url.Parse(to)
	return err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
}

// writeRest writes the handling of all other requests.
func (p proxyConfig) writeRest(w *caddyfileWriter) {
	if p.path == "" {
		return
	}
	w.blank()
	w.open("route")
	w.line("unverified")
	if p.passRest {
		p.writeProxy(w)
	} else {
		w.line("respond 404")
	}
	w.close()
}

// captureAll also captures authentic deliveries, so that they can be delivered
// again.
var captureAll = []string{"capture {", "\tof all", "}"}

// caddyfileWriter writes lines with the indentation of `fmt`.
type caddyfileWriter struct {
	strings.Builder
	depth int
}

func (w *caddyfileWriter) line(text string) {
	w.WriteString(strings.Repeat("\t", w.depth) + text + "\n")
}

func (w *caddyfileWriter) open(what string) {
	w.line(strings.TrimPrefix(what+" {", " "))
	w.depth++
}

func (w *caddyfileWriter) close() {
	w.depth--
	w.line("}")
}

func (w *caddyfileWriter) blank() { w.WriteByte('\n') }

// quoted returns a text as one token of a Caddyfile.
func quoted(text string) string {
	if !strings.ContainsAny(text, " \t\"`#") && text != "" {
		return text
	}
	return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
}
