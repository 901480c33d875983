package deliveries

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Filter selects the deliveries to show. Empty fields let every delivery pass.
type Filter struct {
	Provider, Scheme, Tenant, Verdict, Reason, Event, ID string

	Since time.Time // only those that arrived then or later
	After uint64    // only those with a higher number
	Limit int       // at most this many, the newest; 0 for all
}

// Filters are the names of the filters in URLs and commands.
var Filters = []string{"provider", "scheme", "tenant", "verdict", "reason", "event", "id", "since", "after", "limit"}

const (
	defaultLimit = 100
	maxDuration  = 100 * 365 * 24 * time.Hour
)

// ParseFilter parses the filter in a query. Its errors say what to write.
func ParseFilter(query url.Values, now time.Time) (Filter, error) {
	f := Filter{Limit: defaultLimit}
	for name, values := range query {
		if !slices.Contains(Filters, name) {
			return f, fmt.Errorf("unknown filter; write %s", strings.Join(Filters, ", "))
		}
		if len(values) != 1 || values[0] == "" {
			return f, fmt.Errorf("the filter %s takes one value", name)
		}
		if err := f.set(name, values[0], now); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f *Filter) set(name, value string, now time.Time) (err error) {
	switch name {
	case "since":
		f.Since, err = parseSince(value, now)
	case "after":
		if f.After, err = strconv.ParseUint(value, 10, 64); err != nil {
			err = fmt.Errorf("after: write the number of a delivery")
		}
	case "limit":
		if f.Limit, err = strconv.Atoi(value); err != nil || f.Limit < 1 {
			err = fmt.Errorf("limit: write a number above zero")
		}
	case "verdict":
		if !slices.Contains(verdicts, value) {
			return fmt.Errorf("verdict: write one of %s", strings.Join(verdicts, ", "))
		}
		f.Verdict = value
	default:
		*map[string]*string{
			"provider": &f.Provider, "scheme": &f.Scheme, "tenant": &f.Tenant,
			"reason": &f.Reason, "event": &f.Event, "id": &f.ID,
		}[name] = value
	}
	return err
}

var verdicts = []string{Accepted, "duplicate", "rejected"}

// parseSince parses a time, or a duration before now.
func parseSince(value string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		return at, nil
	}
	ago, err := parseDuration(value)
	if err != nil || ago < 0 || ago > maxDuration {
		return time.Time{}, fmt.Errorf("since: write a duration such as 1h or 2d, or a time such as 2026-01-31T12:00:00Z")
	}
	return now.Add(-ago), nil
}

// parseDuration parses a duration that may have days, as Caddy does.
func parseDuration(value string) (time.Duration, error) {
	days, rest, found := strings.Cut(value, "d")
	if !found {
		return time.ParseDuration(value)
	}
	n, err := strconv.ParseFloat(days, 64)
	if err != nil || !(n >= 0 && n <= maxDuration.Hours()/24) {
		return 0, fmt.Errorf("not a number of days")
	}
	total := time.Duration(n * float64(24*time.Hour))
	if rest == "" {
		return total, nil
	}
	more, err := time.ParseDuration(rest)
	return total + more, err
}

// Passes reports whether a delivery passes the filter.
func (f *Filter) Passes(d *Delivery) bool {
	for _, pair := range [...][2]string{
		{f.Provider, d.Provider},
		{f.Scheme, d.Scheme},
		{f.Tenant, d.Tenant},
		{f.Verdict, d.Verdict},
		{f.Reason, d.Reason},
		{cut(f.Event), d.Event},
		{cut(f.ID), d.ID},
	} {
		if pair[0] != "" && pair[0] != pair[1] {
			return false
		}
	}
	return d.Number > f.After && (f.Since.IsZero() || !d.Time.Before(f.Since))
}
