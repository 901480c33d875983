package webhook

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/module/deliveries"
)

// deliveriesPath is the path of the recent deliveries on the admin endpoint.
const deliveriesPath = "/verify_webhook/deliveries"

func listDeliveriesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [--provider P] [--scheme S] [--tenant T] [--verdict V] [--reason R] [--event E] [--since 1h] [--limit N] [--json] [--address ADMIN]",
		Short: "Lists the last deliveries of a running gateway",
		Long: `Lists the deliveries that a running gateway has seen last, the newest at the end:
number, time, verdict, label, event or (if rejected) reason, id, status,
duration, and what may be wrong.

Exit status: 0 listed; 1 the gateway cannot be reached or refused; 2 wrong
usage.`,
		Example: `  hooklatch webhook list --verdict rejected --since 1h
  hooklatch webhook list --provider stripe --json`,
		Args:                  noArgs,
		DisableFlagsInUseLine: true,
	}
	filters := newFilters(cmd, true)
	address := newOption(cmd, "address", "ADMIN", adminUsage)
	cmd.RunE = ending(func(cmd *cobra.Command, _ []string) error {
		query, err := filters.query()
		if err != nil {
			return err
		}
		a, err := newAdminClient(address)
		if err != nil {
			return err
		}
		res, err := a.get(cmd.Context(), deliveriesPath+query.String())
		if err != nil {
			return unreached(cmd, err)
		}
		defer func() { _ = res.Body.Close() }()
		var listed []deliveries.Delivery
		if err := json.NewDecoder(res.Body).Decode(&listed); err != nil {
			return unreached(cmd, err)
		}
		sayIfOff(cmd, res)
		slices.Reverse(listed)
		for _, d := range listed {
			if err := filters.print(cmd, &d); err != nil {
				return err
			}
		}
		return nil
	})
	return cmd
}

func tailCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail [--provider P] [--scheme S] [--tenant T] [--verdict V] [--reason R] [--event E] [--since 1h] [--json] [--address ADMIN]",
		Short: "Shows deliveries as they arrive",
		Long: `Shows the deliveries of a running gateway as they arrive, until Ctrl-C. With
--since it begins with those that have arrived already. When the gateway loads
another configuration it goes on.

Exit status: 0 after Ctrl-C; 1 the gateway cannot be reached or refused; 2 wrong
usage.`,
		Args:                  noArgs,
		DisableFlagsInUseLine: true,
	}
	filters := newFilters(cmd, false)
	address := newOption(cmd, "address", "ADMIN", adminUsage)
	cmd.RunE = ending(func(cmd *cobra.Command, _ []string) error {
		query, err := filters.query()
		if err != nil {
			return err
		}
		a, err := newAdminClient(address)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		t := tail{cmd: cmd, admin: a, filters: filters, query: query}
		if err := t.run(ctx); err != nil && ctx.Err() == nil {
			return unreached(cmd, err)
		}
		return nil
	})
	return cmd
}

// tail follows a gateway across its reloads.
type tail struct {
	cmd     *cobra.Command
	admin   *adminClient
	filters *filters
	query   values
	last    uint64 // the number of the last delivery shown
}

// tailPause is the pause between two attempts to reach a gateway that reloads,
// and tailAway is how long it may be unreachable.
const (
	tailPause = 200 * time.Millisecond
	tailAway  = 15 * time.Second
)

func (t *tail) run(ctx context.Context) error {
	// Deliveries that arrive between two answers are not lost: the next answer
	// begins after the newest number of now.
	if _, err := t.newest(ctx); err != nil {
		return err
	}
	var lost time.Time // when the gateway became unreachable
	for {
		seen, err := t.follow(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if seen {
			lost = time.Time{}
		}
		if _, refused := errors.AsType[refusedError](err); refused {
			return err
		}
		if err != nil {
			if lost.IsZero() {
				lost = time.Now()
			}
			if time.Since(lost) > tailAway {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tailPause):
		}
	}
}

// newest finds the number of the newest delivery, after which to begin unless
// the user gives --since.
func (t *tail) newest(ctx context.Context) (uint64, error) {
	res, err := t.admin.get(ctx, deliveriesPath+"?limit=1")
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	sayIfOff(t.cmd, res)
	var listed []deliveries.Delivery
	if err := json.NewDecoder(res.Body).Decode(&listed); err != nil {
		return 0, err
	}
	if len(listed) == 1 && !url.Values(t.query).Has("since") {
		t.last = listed[0].Number
	}
	return t.last, nil
}

// follow prints deliveries until the answer ends. It reports whether the
// gateway answered.
func (t *tail) follow(ctx context.Context) (answered bool, err error) {
	query := url.Values(t.query)
	if t.last > 0 || !query.Has("since") {
		query.Set("after", strconv.FormatUint(t.last, 10))
	}
	res, err := t.admin.get(ctx, deliveriesPath+"/follow"+t.query.String())
	if err != nil {
		return false, err
	}
	defer func() { _ = res.Body.Close() }()
	lines := json.NewDecoder(bufio.NewReader(res.Body))
	for {
		var d deliveries.Delivery
		if err := lines.Decode(&d); err != nil {
			return true, nil //nolint:nilerr // the answer ended, as at each reload
		}
		t.last = d.Number
		if err := t.filters.print(t.cmd, &d); err != nil {
			return true, err
		}
	}
}

// values is a query that can be appended to a path.
type values url.Values

// String writes the query with its question mark, or nothing.
func (v values) String() string {
	if len(v) == 0 {
		return ""
	}
	return "?" + url.Values(v).Encode()
}

// filters holds the options that say which deliveries are printed, and how.
type filters struct {
	options []*option
	json    bool
}

func newFilters(cmd *cobra.Command, limited bool) *filters {
	f := &filters{}
	for _, o := range [][3]string{
		{"provider", "P", "only those of a label"},
		{"scheme", "S", "only those of a scheme"},
		{"tenant", "T", "only those of a tenant"},
		{"verdict", "V", "only those with a verdict: accepted, duplicate or rejected"},
		{"reason", "R", "only those with a reason, such as signature_mismatch"},
		{"event", "E", "only those with an event type"},
		{"id", "I", "only the one with an id, the Webhook-Id"},
		{"since", "D", "only those since a time, or for so long, such as 1h"},
	} {
		f.options = append(f.options, newOption(cmd, o[0], o[1], o[2]))
	}
	if limited {
		f.options = append(f.options, newOption(cmd, "limit", "N", "how many at most; default: 100"))
	}
	cmd.Flags().BoolVar(&f.json, "json", false, "print a JSON object a line, with all that is known")
	return f
}

func (f *filters) query() (values, error) {
	query := url.Values{}
	for _, o := range f.options {
		if o.text != "" {
			query.Set(o.name, o.text)
		}
	}
	if _, err := deliveries.ParseFilter(query, time.Now()); err != nil {
		return nil, fmt.Errorf("--%w", err)
	}
	return values(query), nil
}

// print prints a delivery on one line.
func (f *filters) print(cmd *cobra.Command, d *deliveries.Delivery) error {
	if !f.json {
		return write(cmd, deliveryLine(d))
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return write(cmd, string(text)+"\n")
}

// deliveryLine formats the most important facts of a delivery in columns.
func deliveryLine(d *deliveries.Delivery) string {
	event := d.Event
	if d.Verdict == "rejected" {
		event = d.Reason
	}
	status := ""
	if d.Status > 0 {
		status = strconv.Itoa(d.Status)
	}
	verdict := d.Verdict
	if d.Observed {
		verdict += "*" // reported, not enforced
	}
	var line strings.Builder
	for _, column := range []struct {
		text  string
		width int
	}{
		{strconv.FormatUint(d.Number, 10), 0},
		{d.Time.Local().Format(time.TimeOnly), 0},
		{verdict, 9},
		{d.Provider, 6},
		{event, 18},
		{d.ID, 8},
		{status, 3},
		{fmt.Sprintf("%dms", time.Duration(d.Duration*float64(time.Second)).Milliseconds()), 0},
		{remark(d), 0},
	} {
		if line.Len() > 0 {
			line.WriteString("  ")
		}
		fmt.Fprintf(&line, "%-*s", column.width, inLine(column.text))
	}
	return strings.TrimSuffix(strings.TrimRight(line.String(), " "), "  -") + "\n"
}

// remark returns the last column: the state in the inbox, and the hint.
func remark(d *deliveries.Delivery) string {
	state := map[string]string{
		"kept":        "kept in the inbox",
		"again":       fmt.Sprintf("attempt %d failed; the inbox keeps it", d.Attempt),
		"redelivered": fmt.Sprintf("attempt %d of the inbox delivered it", d.Attempt),
		"dead":        "the inbox has given up",
	}[d.Inbox]
	if state != "" && d.Hint != "" {
		return state + "; " + d.Hint
	}
	return state + d.Hint
}

// inLine escapes a sender's text so that it fits on one line, and writes - for
// an empty one.
func inLine(s string) string {
	if s == "" {
		return "-"
	}
	return strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(visible(s))
}

// sayIfOff says so if the list is empty because the gateway remembers no
// deliveries.
func sayIfOff(cmd *cobra.Command, res *http.Response) {
	if res.Header.Get("Webhook-Recent") == "off" {
		cmd.PrintErrln("the gateway remembers no deliveries: its configuration says recent 0")
	}
}
