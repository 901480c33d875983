package inspector

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// deliveryPage is the page of one delivery.
type deliveryPage struct {
	frame
	delivery
	Number  uint64 // from the address, even if no delivery has it
	Now     time.Time
	Advice  advice
	Proven  bool // the advice is a finding in this very delivery
	Headers []headerLine
	Body    *bodyView
	Command string
	Again   []delivery // all deliveries with the same id
	Waiting *entry     // in the inbox
}

// headerLine is a header with one of its values.
type headerLine struct {
	Name, Value string
	Masked      bool
}

func (p *Page) showDelivery(w http.ResponseWriter, r *http.Request, number uint64) {
	page := deliveryPage{frame: frame{Gateway: p.Name, Title: strconv.FormatUint(number, 10), Place: "delivery"}, Number: number, Now: p.now()}
	d, err := p.one(r.Context(), number)
	if err != nil {
		page.Trouble = sentence(err.Error())
		if statusOf(err) == http.StatusNotFound {
			page.Trouble = "No delivery has this number any more. The gateway has forgotten it, or was started again since."
		}
		p.write(w, statusOf(err), "delivery.html", &page)
		return
	}
	page.delivery = d
	page.explain()
	if d.Captured {
		page.Headers = headerLines(d.Headers)
		page.Body = newBodyView(d.Body, r.URL.Query().Get("view"))
		page.Command = verifyCommand(&d)
	}
	if d.ID != "" {
		p.relate(r, &page)
	}
	p.write(w, http.StatusOK, "delivery.html", &page)
}

// explain sets the advice for a delivery that did not arrive. A finding in the
// delivery itself takes precedence.
func (page *deliveryPage) explain() {
	d := &page.delivery
	if !d.lost() && page.Outcome() != duplicate {
		return
	}
	page.Advice = adviceFor(d)
	if page.Outcome() == duplicate {
		page.Advice = advice{
			"The application has taken this event before. The provider was told so, and the application was not asked again.",
			"Nothing. To have it delivered once more, allow it again and let the provider repeat it.",
		}
	}
	if d.ExplainedBy != "" {
		page.Advice = advice{sentence(d.ExplainedBy), sentence(d.WhatToDo)}
		page.Proven = true
	}
}

// relate finds the other attempts of the same event. If that fails, the page is
// shown without them.
func (p *Page) relate(r *http.Request, page *deliveryPage) {
	filters := url.Values{"provider": {page.Provider}, "id": {page.ID}}
	if all, _, err := p.list(r.Context(), filters); err == nil && len(all) > 1 {
		page.Again = all
	}
	if page.Inbox == "" {
		return
	}
	entries, err := p.inbox(r.Context(), url.Values{"provider": {page.Provider}})
	if err != nil {
		return
	}
	if i := slices.IndexFunc(entries, func(e entry) bool { return e.ID == page.ID && e.Tenant == page.Tenant }); i >= 0 {
		page.Waiting = &entries[i]
	}
}

// Headline returns a sentence about the outcome.
func (page *deliveryPage) Headline() string {
	switch page.Outcome() {
	case refused:
		if page.Observed {
			return "Would be refused, passed on by observe"
		}
		return "Refused, and not passed on"
	case duplicate:
		return "Came again after it was delivered"
	case kept:
		return "Kept in the inbox"
	case failed:
		return "Authentic, but the application did not take it"
	}
	return "Arrived"
}

// Authentic reports whether the signature was verified.
func (page *deliveryPage) Authentic() bool { return page.Verdict != "rejected" || page.ID != "" }

// headerLines returns headers in the order in which they are saved.
func headerLines(h map[string][]string) []headerLine {
	var lines []headerLine
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			lines = append(lines, headerLine{name, value, masked(name)})
		}
	}
	return lines
}

// masked reports whether to hide the value of a header from people who look
// over a shoulder, because it is likely to hold a password, a session, or the
// whole secret, which some schemes send.
func masked(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"auth", "cookie", "token", "secret", "password", "api-key", "apikey"}, func(part string) bool {
		return strings.Contains(name, part)
	})
}

const (
	headersFile = "headers.txt"
	bodyFile    = "body.json"
)

// save serves the headers or the body of a delivery as a download. A browser
// must never display them.
func (p *Page) save(w http.ResponseWriter, r *http.Request, name string) {
	number, err := strconv.ParseUint(r.URL.Query().Get("number"), 10, 64)
	if err != nil {
		p.fail(w, r, http.StatusBadRequest, "The address has no number of a delivery.")
		return
	}
	d, err := p.one(r.Context(), number)
	if err == nil && !d.Captured {
		err = &refusal{http.StatusNotFound, "this delivery is not captured; write capture in verify_webhook to keep whole deliveries"}
	}
	if err != nil {
		p.fail(w, r, statusOf(err), sentence(err.Error()))
		return
	}
	content := d.Body
	if name == headersFile {
		content = []byte(d.HeadersText())
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content)
}
