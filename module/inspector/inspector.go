// Package inspector implements the page that shows an operator which deliveries
// arrived, which were rejected, why, and what to change. It has no framework
// and no build step: templates, one style sheet and one script, all embedded.
//
// It reads a gateway through the admin endpoint, and changes something only
// when a button is pressed. Everything that it shows may come from an attacker.
// So all of it goes through html/template, and the page's policy allows neither
// inline scripts nor other origins.
package inspector

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"path"
	"strconv"
	"time"
)

// Page is the page of one gateway. Each of its addresses is one path segment,
// so that it works below any path: it ignores the segments before that.
type Page struct {
	// Gateway handles requests to the admin endpoint.
	Gateway http.Handler
	// Name names the gateway, for example by its address.
	Name string
	// Now returns the time. Default: time.Now.
	Now func() time.Time
	// Closing ends the requests that wait for news, so that a server can shut
	// down. It may be nil.
	Closing <-chan struct{}
}

//go:embed assets
var assets embed.FS

var templates = template.Must(template.New("").Funcs(functions).ParseFS(assets, "assets/*.html"))

// files are served unchanged.
var files = map[string]string{
	"style.css": "text/css; charset=utf-8",
	"script.js": "text/javascript; charset=utf-8",
	"icon.svg":  "image/svg+xml",
}

// ServeHTTP serves the page. The caller must have checked that the user may see
// it.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if refusal := checkOrigin(r); refusal != "" {
		p.fail(w, r, http.StatusForbidden, refusal)
		return
	}
	name := path.Base(r.URL.Path)
	if r.URL.Path == "" || r.URL.Path[len(r.URL.Path)-1] == '/' {
		name = ""
	}
	if r.Method == http.MethodPost {
		p.act(w, r, name)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD, POST")
		p.fail(w, r, http.StatusMethodNotAllowed, "This page is read with GET.")
		return
	}
	p.show(w, r, name)
}

func (p *Page) show(w http.ResponseWriter, r *http.Request, name string) {
	if kind, ok := files[name]; ok {
		content, _ := assets.ReadFile("assets/" + name) // it is embedded
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(content) //nolint:gosec // it is one of our own files
		return
	}
	switch name {
	case "":
		p.showList(w, r)
	case "inbox":
		p.showInbox(w, r)
	case "news":
		p.waitForNews(w, r)
	case headersFile, bodyFile:
		p.save(w, r, name)
	default:
		number, err := strconv.ParseUint(name, 10, 64)
		if err != nil {
			p.fail(w, r, http.StatusNotFound, "There is no such page.")
			return
		}
		p.showDelivery(w, r, number)
	}
}

func (p *Page) now() time.Time {
	if p.Now != nil {
		return p.Now().UTC()
	}
	return time.Now().UTC()
}

// frame holds the data of every page.
type frame struct {
	Gateway string
	Title   string
	Place   string // the page's name in the navigation
	Trouble string // why the gateway did not answer, if it failed to
}

// write renders a page. It renders the whole page before it sends the first
// byte, so that a failure is reported as one.
func (p *Page) write(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	if err := templates.ExecuteTemplate(&page, name, data); err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = page.WriteTo(w)
}

// failure is the page that explains why another page cannot be shown.
type failure struct {
	frame
	Text string
	Home bool // whether to link to the first page
}

func (p *Page) fail(w http.ResponseWriter, r *http.Request, status int, text string) {
	if r.Method == http.MethodPost {
		answer(w, status, text)
		return
	}
	p.write(w, status, "failure.html", failure{
		frame: frame{Gateway: p.Name, Title: http.StatusText(status), Trouble: ""},
		Text:  text, Home: true,
	})
}
