package inspector

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	// remembered is how many deliveries the summary and the chart include, unless
	// the address asks for more.
	remembered = 1000
	// rows is how many are listed.
	rows = 100
)

// listPage is the first page: which deliveries arrived, which were rejected,
// why, and what to change.
type listPage struct {
	frame
	Filters  url.Values
	Active   int // how many filters there are
	Newest   uint64
	Remember bool

	All    []delivery
	Rows   []delivery
	More   string // the address that lists more
	Events int    // deliveries, with all inbox attempts for one event counted as one
	Totals []total
	Lost   int
	Chart  chart
	Groups []group
	Hidden int // groups that are not shown
	Since  time.Time
	Now    time.Time

	Providers, Reasons []string // to choose from
}

// total is how many deliveries had one outcome.
type total struct {
	Outcome outcome
	Count   int
}

// group is deliveries of one label that did not arrive for one reason.
type group struct {
	advice
	Outcome          outcome
	Provider, Tenant string
	Reason           string // or the application's status
	Count, Captured  int
	Newest           delivery
	Since            bool   // a later delivery of the same label has arrived
	Show             string // the address that lists them
	Open             bool
}

func (p *Page) showList(w http.ResponseWriter, r *http.Request) {
	filters := filtersOf(r.URL.Query())
	page := listPage{frame: frame{Gateway: p.Name, Title: "Deliveries", Place: "list"}, Filters: filters, Active: len(filters), Now: p.now(), Remember: true}
	shown := rows
	asked := clone(filters)
	if n, err := strconv.Atoi(filters.Get("limit")); err == nil {
		shown = n
		page.Active--
	}
	if n, err := strconv.Atoi(filters.Get("limit")); err == nil || !filters.Has("limit") {
		asked.Set("limit", strconv.Itoa(max(remembered, n)))
	}
	all, remembers, err := p.list(r.Context(), asked)
	status := http.StatusOK
	if err != nil {
		page.Trouble = sentence(err.Error())
		if status = statusOf(err); status == http.StatusNotFound {
			page.Trouble = "This is no gateway of Hooklatch's, or one of an older version."
		}
	} else {
		page.Remember = remembers
	}
	page.fill(all, shown)
	p.write(w, status, "list.html", &page)
}

// statusOf returns the status of a page that could not be made. If the gateway
// rejects a request, the address is at fault; any other error is the gateway's.
func statusOf(err error) int {
	if refused, ok := errors.AsType[*refusal](err); ok && (refused.status == http.StatusBadRequest || refused.status == http.StatusNotFound) {
		return refused.status
	}
	return http.StatusBadGateway
}

func (page *listPage) fill(all []delivery, shown int) {
	page.All = all
	page.Rows = all[:max(0, min(shown, len(all)))]
	if len(page.Rows) < len(all) {
		page.More = with(page.Filters, "limit", strconv.Itoa(min(len(all), max(1, shown)*5)))
	}
	if len(all) > 0 {
		page.Newest, page.Since = all[0].Number, all[len(all)-1].Time.Time
	}
	events := eventsOf(all)
	page.Events = len(events)
	for _, o := range outcomes {
		n := 0
		for i := range events {
			if events[i].Outcome() == o {
				n++
			}
		}
		page.Totals = append(page.Totals, total{o, n})
	}
	page.Chart = newChart(events, page.Now)
	page.group(events)
	for i := range all {
		page.Providers = append(page.Providers, all[i].Provider)
		if all[i].Reason != "" {
			page.Reasons = append(page.Reasons, all[i].Reason)
		}
	}
	page.Providers = choices(page.Providers, page.Filters.Get("provider"))
	page.Reasons = choices(page.Reasons, page.Filters.Get("reason"))
}

// eventsOf keeps only the newest of the inbox's attempts for each event,
// because it shows the outcome of the event. The list begins with the newest.
func eventsOf(all []delivery) []delivery {
	type event struct{ provider, tenant, id string }
	seen := map[event]bool{}
	return slices.DeleteFunc(slices.Clone(all), func(d delivery) bool {
		e := event{d.Provider, d.Tenant, d.ID}
		older := d.Inbox != "" && d.ID != "" && seen[e]
		seen[e] = seen[e] || d.Inbox != ""
		return older
	})
}

// choices returns the values of a field to choose from, including the chosen
// one.
func choices(values []string, chosen string) []string {
	if chosen != "" {
		values = append(values, chosen)
	}
	slices.Sort(values)
	return slices.Compact(values)
}

const (
	maxGroups = 6 // reasons that are shown at once
	maxOpen   = 3 // of them that are explained without a click
)

// group groups the deliveries that did not arrive by label and reason, the
// newest first.
func (page *listPage) group(all []delivery) {
	type key struct {
		outcome                  outcome
		provider, tenant, reason string
	}
	var order []key
	groups := map[key]*group{}
	arrivedAt := map[[2]string]uint64{} // the newest number that arrived, by label and tenant
	for i := range all {
		d := &all[i]
		label := [2]string{d.Provider, d.Tenant}
		if d.Outcome() == arrived {
			arrivedAt[label] = max(arrivedAt[label], d.Number)
		}
		if !d.lost() {
			continue
		}
		page.Lost++
		reason := d.Reason
		if reason == "" {
			reason = "no answer"
			if d.Application != 0 {
				reason = strconv.Itoa(d.Application)
			}
		}
		k := key{d.Outcome(), d.Provider, d.Tenant, reason}
		g := groups[k]
		if g == nil {
			g = &group{
				Outcome: d.Outcome(), advice: adviceFor(d), Provider: d.Provider, Tenant: d.Tenant, Reason: reason,
				Newest: *d, Since: arrivedAt[label] > d.Number, Show: page.listOf(d),
			}
			groups[k] = g
			order = append(order, k)
		}
		g.Count++
		if d.Captured {
			g.Captured++
		}
	}
	for _, k := range order {
		page.Groups = append(page.Groups, *groups[k])
	}
	slices.SortStableFunc(page.Groups, func(a, b group) int {
		return cmp.Compare(rank(a), rank(b))
	})
	for i := range page.Groups {
		page.Groups[i].Open = i < maxOpen && (i == 0 || !page.Groups[i].Since)
	}
	if len(page.Groups) > maxGroups {
		page.Hidden = len(page.Groups) - maxGroups
		page.Groups = page.Groups[:maxGroups]
	}
}

// rank puts groups that still fail before those that have worked since.
func rank(g group) int {
	if g.Since {
		return 1
	}
	return 0
}

// listOf returns the address that lists the deliveries that did not arrive for
// the same reason. There is no filter for the application's status, so there is
// no address for deliveries that failed there.
func (page *listPage) listOf(d *delivery) string {
	if d.Reason == "" {
		return ""
	}
	filters := clone(page.Filters)
	for name, value := range map[string]string{"provider": d.Provider, "tenant": d.Tenant, "verdict": d.Verdict, "reason": d.Reason} {
		if value != "" {
			filters.Set(name, value)
		}
	}
	return address(filters)
}

// Headline answers the question that the page is opened with.
func (page *listPage) Headline() string {
	n := page.Events
	switch {
	case page.Trouble != "":
		return "The gateway did not answer"
	case !page.Remember:
		return "This gateway remembers no deliveries"
	case n == 0 && page.Active > 0:
		return "No delivery matches"
	case n == 0:
		return "No delivery has come yet"
	case page.Lost == 0 && n == 1:
		return "The one delivery arrived"
	case page.Lost == 0:
		return fmt.Sprintf("All %s deliveries arrived", thousands(n))
	case n == 1:
		return "The one delivery did not arrive"
	}
	return fmt.Sprintf("%s of %s deliveries did not arrive", thousands(page.Lost), thousands(n))
}

// Calm reports whether there is nothing to do.
func (page *listPage) Calm() bool {
	return page.Trouble == "" && page.Remember && len(page.All) > 0 && page.Lost == 0
}

// Verdicts returns the filters that are shown above the list.
func (page *listPage) Verdicts() []choice {
	verdict := func(value, words string) choice {
		return choice{Words: words, Address: with(page.Filters, "verdict", value), Chosen: page.Filters.Get("verdict") == value}
	}
	return []choice{verdict("", "All"), verdict("accepted", "Accepted"), verdict("rejected", "Rejected"), verdict("duplicate", "Duplicates")}
}

// choice is a link to a variant of the page.
type choice struct {
	Words, Address string
	Chosen         bool
}

// Periods returns the values of the filter since to choose from.
func (page *listPage) Periods() []period {
	all := []period{{"", "all"}, {"10m", "the last 10 minutes"}, {"1h", "the last hour"}, {"6h", "the last 6 hours"}, {"24h", "the last day"}}
	chosen := page.Filters.Get("since")
	if !slices.ContainsFunc(all, func(p period) bool { return p.Value == chosen }) {
		all = append(all, period{chosen, "since " + chosen})
	}
	return all
}

type period struct{ Value, Words string }

func clone(filters url.Values) url.Values {
	c := url.Values{}
	for name, values := range filters {
		c[name] = slices.Clone(values)
	}
	return c
}

// with returns the address of the list with one filter changed.
func with(filters url.Values, name, value string) string {
	c := clone(filters)
	if c.Set(name, value); value == "" {
		c.Del(name)
	}
	return address(c)
}

// address returns the address of the list, relative to any page.
func address(filters url.Values) string {
	if len(filters) == 0 {
		return "./"
	}
	return "./?" + filters.Encode()
}
