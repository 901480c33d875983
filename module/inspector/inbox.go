package inspector

import (
	"net/http"
	"net/url"
	"time"
)

// inboxPage lists the entries of the inbox.
type inboxPage struct {
	frame
	Entries []entry
	Dead    []string // labels with dead entries
	Now     time.Time
	None    bool // the gateway has no inbox
}

func (p *Page) showInbox(w http.ResponseWriter, r *http.Request) {
	page := inboxPage{frame: frame{Gateway: p.Name, Title: "Inbox", Place: "inbox"}, Now: p.now()}
	filters := url.Values{}
	for _, name := range []string{"provider", "state"} {
		if value := r.URL.Query().Get(name); value != "" {
			filters.Set(name, value)
		}
	}
	entries, err := p.inbox(r.Context(), filters)
	status := http.StatusOK
	if err != nil {
		if status = statusOf(err); status == http.StatusNotFound {
			status, page.None = http.StatusOK, true
		} else {
			page.Trouble = sentence(err.Error())
		}
	}
	page.Entries = entries
	var dead []string
	for _, e := range entries {
		if e.State == "dead" {
			dead = append(dead, e.Provider)
		}
	}
	page.Dead = choices(dead, "")
	p.write(w, status, "inbox.html", &page)
}
