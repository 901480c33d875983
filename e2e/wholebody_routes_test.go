package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/e2e/internal/harness"
)

// The addresses of the upstreams. The sender names them in headers, so that one
// route serves every behavior.
const (
	toAudit  = "{http.request.header.X-Audit}"
	toFirst  = "{http.request.header.X-First}"
	toBackup = "{http.request.header.X-Backup}"
)

// bodyReader is a handler, or several, that reads the verified body before the
// application does, or changes how the application comes to read it.
type bodyReader struct {
	name   string
	audit  string // protocol of the audit's upstream, if there is one
	before string // before verify_webhook
	around func(path, application string) string
	texts  bool // it executes the application's answer as a template
	once   bool // it remembers the end of the body, so that a second attempt gets nothing
	keeps  bool // it may answer with the length or the body of the first answer
}

// endpoint is the application at the end of a route.
type endpoint struct {
	name     string
	text     string
	first    string // protocol of the upstream; empty if the gateway itself answers
	backup   string // protocol of the upstream that is used if the first one fails
	retries  bool   // by the same proxy, in turn
	readsOn  bool   // the first proxy reads a part of the body before it connects, and does not give it back
	statuses bool   // a status of 500 or more counts as a failure
	hurries  bool   // it gives up on an upstream that hangs
	echoes   bool   // the gateway answers with the body
}

// then puts a reader before the application.
func then(text string) func(string, string) string {
	return func(_, application string) string { return text + "\n" + application }
}

// audits returns a reader that sends the body to an upstream, and continues to
// the application if it answers 2xx.
func audits(name, protocol string, options ...string) bodyReader {
	return bodyReader{name: name, audit: protocol, around: then(proxy(protocol, toAudit,
		append(options, "@ok status 2xx", "handle_response @ok {\n}")...))}
}

// proxy returns a reverse_proxy over a protocol.
func proxy(protocol, upstreams string, options ...string) string {
	switch protocol {
	case "h2c":
		options = append(options, "transport http {\nversions h2c\n}")
	case "fcgi":
		options = append(options, "transport fastcgi")
	}
	return "reverse_proxy " + upstreams + " {\n" + strings.Join(options, "\n") + "\n}"
}

const (
	lessBuffers = "request_buffers 1KiB"
	moreBuffers = "request_buffers 6MiB"
)

func bodyReaders() []bodyReader {
	reads := func(name, text string) bodyReader { return bodyReader{name: name, around: then(text)} }
	before := func(name, text string) bodyReader { return bodyReader{name: name, before: text, around: then("")} }
	encloses := func(name, audit, text string) bodyReader {
		return bodyReader{name: name, audit: audit, around: func(path, application string) string {
			return strings.NewReplacer("APPLICATION", application, "PATH", path).Replace(text)
		}}
	}
	agreed := []string{"@ok status 2xx", "handle_response @ok {\nAPPLICATION\n}"}
	intercept := "intercept {\n" + strings.Join(agreed, "\n") + "\n}\n"
	agreedReading := []string{agreed[0], strings.Replace(agreed[1], "APPLICATION", "vars seen {http.request.body}\nAPPLICATION", 1)}
	templates := reads("templates", "templates {\nmime text/plain\n}")
	templates.texts = true
	limited := reads("max_size-after", "request_body {\nmax_size 32MiB\n}")
	limited.once = true
	keeping := func(r bodyReader) bodyReader { r.keeps = true; return r }
	twice := audits("audit-twice", "h1")
	twice.around = func(path, application string) string {
		once := audits("", "h1").around
		return once(path, once(path, application))
	}
	return []bodyReader{
		reads("none", ""),
		{name: "forward_auth", audit: "h1", around: then("forward_auth " + toAudit + " {\nuri /auth\n}")},
		audits("audit-h1", "h1"),
		audits("audit-h2c", "h2c"),
		audits("audit-fcgi", "fcgi"),
		audits("audit-h1-less", "h1", lessBuffers),
		audits("audit-h1-more", "h1", moreBuffers),
		audits("audit-h2c-less", "h2c", lessBuffers),
		audits("audit-h2c-more", "h2c", moreBuffers),
		audits("audit-fcgi-less", "fcgi", lessBuffers),
		audits("audit-fcgi-more", "fcgi", moreBuffers),
		audits("audit-response_buffers", "h1", "response_buffers 1MiB"),
		twice,
		encloses("audit-h1-inside", "h1", proxy("h1", toAudit, agreed...)),
		encloses("audit-h1-reads-inside", "h1", proxy("h1", toAudit, agreedReading...)),
		encloses("audit-fcgi-inside", "fcgi", proxy("fcgi", toAudit, agreed...)),
		keeping(encloses("intercept-h1", "h1", intercept+proxy("h1", toAudit))),
		keeping(encloses("intercept-fcgi", "fcgi", intercept+proxy("fcgi", toAudit))),
		reads("vars-body", "vars seen {http.request.body}"),
		reads("vars-base64", "vars seen {http.request.body_base64}"),
		reads("matcher-body", "@other not vars {http.request.body} nothing\nrequest_header @other X-Seen yes"),
		reads("log_append-body", "log_append seen {http.request.body}"),
		reads("log_append-late", "log_append seen \"body {http.request.body}\""),
		reads("set-body", "request_body {\nset {http.request.body}\n}"),
		limited,
		before("max_size-before", "request_body {\nmax_size 5MiB\n}"),
		templates,
		reads("encode", "request_header Accept-Encoding gzip\nencode {\ngzip\nminimum_length 1\n}"),
		reads("rewrite", "rewrite * /rewritten"),
		encloses("handle_path", "", "handle_path PATH/* {\nAPPLICATION\n}"),
		encloses("named", "", "route {\n"+markedAs("named")+"APPLICATION\n}"),
		before("tracing-before", "tracing"),
		reads("tracing-after", "tracing"),
		reads("verify-again", harness.Verify("mceasy", "MCEASY_SECRET", "provider again")),
	}
}

// Retries go to the upstreams in turn, so that two retries reach the backup
// from any start. Such a route can serve only one row at a time.
const (
	retriesPosts    = "lb_policy round_robin\nlb_retries 2\nlb_retry_match {\nmethod POST\n}"
	retriesStatuses = retriesPosts + "\nlb_retry_match {\nexpression `{rp.status_code} >= 500`\n}"
)

func endpoints() []endpoint {
	single := func(name, protocol string, options ...string) endpoint {
		return endpoint{name: name, first: protocol, text: proxy(protocol, toFirst, options...)}
	}
	retried := func(name, protocol string, options ...string) endpoint {
		return endpoint{
			name: name, first: protocol, backup: protocol, retries: true,
			text: proxy(protocol, toFirst+" "+toFirst+" "+toBackup, options...),
		}
	}
	statuses := func(e endpoint) endpoint { e.statuses = true; return e }
	hurried := func(e endpoint, transport, option string) endpoint {
		e.hurries = true
		e.text = strings.TrimSuffix(e.text, "}") + "transport " + transport + " {\n" + option + " 3s\n}\n}"
		return e
	}
	withErrorRoutes := func(name, first, firstOptions, second, secondOptions string) endpoint {
		return endpoint{name: name, first: first, backup: second, readsOn: first == "fcgi" || firstOptions != "", text: "route {\n" + markedAs("errors") +
			proxy(first, toFirst, firstOptions) + "\n" + proxy(second, toBackup, secondOptions) + "\n}"}
	}
	timeoutFCGI := hurried(single("fcgi-timeout", ""), "fastcgi", "read_timeout")
	timeoutFCGI.first = "fcgi"
	return []endpoint{
		single("h1", "h1"),
		single("h1-less", "h1", lessBuffers),
		single("h1-more", "h1", moreBuffers),
		single("h1-response_buffers", "h1", "response_buffers 1MiB"),
		single("h1-copied", "h1", "handle_response {\ncopy_response\n}"),
		single("h2c", "h2c"),
		single("h2c-less", "h2c", lessBuffers),
		single("h2c-more", "h2c", moreBuffers),
		single("fcgi", "fcgi"),
		single("fcgi-less", "fcgi", lessBuffers),
		single("fcgi-more", "fcgi", moreBuffers),
		hurried(single("h1-timeout", "h1"), "http", "response_header_timeout"),
		timeoutFCGI,
		retried("h1-retry", "h1", retriesPosts),
		retried("h2c-retry", "h2c", retriesPosts),
		retried("h1-retry-more", "h1", moreBuffers, retriesPosts),
		retried("h2c-retry-more", "h2c", moreBuffers, retriesPosts),
		statuses(retried("h1-retry-status", "h1", retriesStatuses)),
		statuses(retried("h2c-retry-status", "h2c", retriesStatuses)),
		statuses(retried("h1-retry-status-more", "h1", moreBuffers, retriesStatuses)),
		hurried(retried("h1-retry-timeout", "h1", retriesPosts), "http", "response_header_timeout"),
		withErrorRoutes("errors-h1-h1", "h1", "", "h1", ""),
		withErrorRoutes("errors-h1-fcgi", "h1", "", "fcgi", ""),
		withErrorRoutes("errors-h1-less", "h1", "", "h1", lessBuffers),
		withErrorRoutes("errors-h1-more", "h1", "", "h1", moreBuffers),
		withErrorRoutes("errors-h2c-fcgi", "h2c", "", "fcgi", ""),
		withErrorRoutes("errors-fcgi-h1", "fcgi", "", "h1", ""),
		withErrorRoutes("errors-fcgi-fcgi", "fcgi", "", "fcgi", ""),
		withErrorRoutes("errors-less-h1", "h1", lessBuffers, "h1", ""),
		withErrorRoutes("errors-less-less", "h1", lessBuffers, "h1", lessBuffers),
		{name: "respond-body", text: "respond {http.request.body}", echoes: true},
		{name: "respond", text: "respond 200"},
	}
}

// markedAs marks a route that the Caddyfile cannot express; shape gives it its
// form.
func markedAs(form string) string { return "vars shape " + form + "\n" }

// pair is one route.
type pair struct {
	reader bodyReader
	end    endpoint
}

func (p pair) label() string { return p.reader.name + "--" + p.end.name }

func (p pair) path() string { return "/" + p.label() }

// possible reports whether the route can deliver anything.
func (p pair) possible() bool { return !p.end.echoes || !p.reader.texts && !p.reader.keeps }

// wholeBodySite has one verified route for every pair.
func wholeBodySite(pairs []pair) string {
	var routes []string
	for _, p := range pairs {
		routes = append(routes, harness.Route(p.path()+"/", p.reader.before,
			harness.Verify("mceasy", "MCEASY_SECRET", "provider "+p.label()),
			"root * /srv", p.reader.around(p.path(), p.end.text)))
	}
	return harness.BareSite(append(routes, "respond 404")...) + `
	header >X-Verdict {http.verify_webhook.verdict}
	header >X-Reason {http.verify_webhook.reason}
	handle_errors {
		header X-Verdict {http.verify_webhook.verdict}
		header X-Reason {http.verify_webhook.reason}
		respond "" {http.error.status_code}
	}`
}

// shapeRoutes loads the gateway's routes again, with the marked ones in their
// form.
func shapeRoutes(t *testing.T, g *harness.Gateway) {
	t.Helper()
	const path = "/config/apps/http/servers/srv0"
	_, text := g.Ask(t, http.MethodGet, path, "")
	var server map[string]any
	if err := json.Unmarshal([]byte(text), &server); err != nil {
		t.Fatal(err)
	}
	named := map[string]any{}
	shape(server["routes"], named)
	server["named_routes"] = named
	shaped, err := json.Marshal(server)
	if err != nil {
		t.Fatal(err)
	}
	if status, said := g.Ask(t, http.MethodPatch, path, string(shaped)); status != http.StatusOK {
		t.Fatalf("loading the routes: %d %s", status, said)
	}
	g.SendAfterReload(t, harness.CraneOps(""))
}

// shape rewrites every marked subroute below node, the inner ones first. It
// puts named routes into named.
func shape(node any, named map[string]any) {
	switch node := node.(type) {
	case []any:
		for _, each := range node {
			shape(each, named)
		}
	case map[string]any:
		for _, each := range node {
			shape(each, named)
		}
		if node["handler"] != "subroute" {
			return
		}
		routes, _ := node["routes"].([]any)
		if len(routes) == 0 {
			return
		}
		first, _ := routes[0].(map[string]any)
		handlers, _ := first["handle"].([]any)
		if len(handlers) == 0 {
			return
		}
		mark, _ := handlers[0].(map[string]any)
		if mark["handler"] != "vars" || mark["shape"] == nil {
			return
		}
		switch mark["shape"] {
		case "errors":
			first["handle"] = handlers[1:2]
			node["errors"] = map[string]any{"routes": []any{map[string]any{"handle": handlers[2:]}}}
		case "named":
			first["handle"] = handlers[1:]
			name := fmt.Sprintf("route-%d", len(named))
			named[name] = map[string]any{"handle": []any{map[string]any{"handler": "subroute", "routes": routes}}}
			delete(node, "routes")
			node["handler"], node["name"] = "invoke", name
		}
	}
}
