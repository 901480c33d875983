package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/module/inbox"
)

func (c *command) inboxCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inbox list|retry|drop [--provider P] [--tenant T] [--id I | --all] [--state waiting|dead] [--address ADMIN]",
		Short: "Shows, retries or drops what waits in the inbox",
		Long: `Shows the deliveries in the inbox of a running gateway, has them attempted now,
or drops them, through its admin endpoint. P is the label, I is the id in the list,
which is also the Webhook-Id. T is the Webhook-Tenant, which --id needs where the
label has the option tenants.

Retry and drop take one delivery, with --provider and --id, or --all, which
--provider and --state narrow down. A dead delivery that is retried waits again.

Exit status: 0 done; 1 unknown, being attempted right now, or the gateway cannot
be reached; 2 wrong usage.`,
		Example: `  hooklatch webhook inbox list --state dead
  hooklatch webhook inbox retry --provider cryptr --id sha256-e66bf0db385aa409805d35bd3f05891c
  hooklatch webhook inbox drop --all --state dead`,
		Args:                  cobra.ArbitraryArgs,
		DisableFlagsInUseLine: true,
	}
	f := inboxFlags{
		provider: newOption(cmd, "provider", "P", "the label"),
		tenant:   newOption(cmd, "tenant", "T", "whose delivery it is"),
		id:       newOption(cmd, "id", "I", "the id of one delivery"),
		state:    newOption(cmd, "state", "STATE", "waiting or dead; default: both"),
		address:  newOption(cmd, "address", "ADMIN", adminUsage),
	}
	cmd.Flags().BoolVar(&f.all, "all", false, "all deliveries, or those of a label or in a state")
	cmd.RunE = ending(func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 || !slices.Contains([]string{"list", "retry", "drop"}, args[0]) {
			return errors.New("write one of list, retry and drop behind inbox")
		}
		return c.inbox(cmd, args[0], f)
	})
	return cmd
}

// inboxFlags are the options of webhook inbox.
type inboxFlags struct {
	provider, tenant, id, state, address *option
	all                                  bool
}

// check rejects options that contradict each other.
func (f inboxFlags) check(do string) error {
	switch one := f.id.text != ""; {
	case f.state.text != "" && f.state.text != "waiting" && f.state.text != "dead":
		return errors.New("unknown state; write --state waiting or --state dead")
	case f.tenant.text != "" && !one:
		return errors.New("--tenant is for --id; leave it out")
	case do == "list" && (one || f.all):
		return errors.New("list takes no --id and no --all; it shows all, or those of --provider and --state")
	case do == "list":
	case one && f.all:
		return errors.New("--id is one delivery and --all are many; write one of the two")
	case !one && !f.all:
		return fmt.Errorf("write which delivery to %s: --provider P --id I, or --all", do)
	case one && f.provider.text == "":
		return errors.New("add --provider P, the label of the delivery")
	case one && f.state.text != "":
		return errors.New("--state is for --all; leave it out")
	}
	return nil
}

const inboxURI = "/verify_webhook/inbox"

func (c *command) inbox(cmd *cobra.Command, do string, f inboxFlags) error {
	if err := f.check(do); err != nil {
		return err
	}
	a, err := newAdminClient(f.address)
	if err != nil {
		return err
	}
	if f.id.text != "" {
		if err := a.changeKept(cmd.Context(), do, f.provider.text, f.tenant.text, f.id.text); err != nil {
			return unreached(cmd, err)
		}
		return write(cmd, fmt.Sprintf("%s: %s\n", did(do), f.id.text))
	}
	list, err := a.listKept(cmd.Context(), f.provider.text, f.state.text)
	if err != nil {
		return unreached(cmd, err)
	}
	if do == "list" {
		return write(cmd, c.keptLines(list))
	}
	for n, kept := range list {
		if err := a.changeKept(cmd.Context(), do, kept.Provider, kept.Tenant, kept.ID); err != nil {
			return unreached(cmd, fmt.Errorf("%s: %w; %d of %d were %s before it", kept.ID, err, n, len(list), did(do)))
		}
	}
	return write(cmd, fmt.Sprintf("%s: %d\n", did(do), len(list)))
}

// did returns the word for a completed action.
func did(do string) string { return map[string]string{"retry": "due now", "drop": "dropped"}[do] }

func (a *adminClient) changeKept(ctx context.Context, do, provider, tenant, id string) error {
	method, uri := http.MethodDelete, inboxURI+"/"+url.PathEscape(provider)+"/"+url.PathEscape(id)
	if do == "retry" {
		method, uri = http.MethodPost, uri+"/retry"
	}
	if tenant != "" {
		uri += "?" + url.Values{"tenant": {tenant}}.Encode()
	}
	return a.ask(ctx, method, uri, nil)
}

func (a *adminClient) listKept(ctx context.Context, provider, state string) (list []inbox.Listed, err error) {
	query := url.Values{}
	for name, value := range map[string]string{"provider": provider, "state": state} {
		if value != "" {
			query.Set(name, value)
		}
	}
	err = a.ask(ctx, http.MethodGet, inboxURI+"?"+query.Encode(), &list)
	return list, err
}

// keptLines returns a line for each delivery: the time of arrival, state,
// label, event, id, attempts, the time of the next attempt and the result of
// the last one.
func (c *command) keptLines(list []inbox.Listed) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, k := range list {
		due := "-"
		if next := k.NextAttemptAt; next != nil {
			due = "in " + max(next.Sub(c.now()), 0).Round(time.Second).String()
		}
		last := k.LastError
		if k.LastStatus != 0 {
			last = strconv.Itoa(k.LastStatus)
		}
		for i, column := range []string{
			k.ReceivedAt.Local().Format(time.DateTime), k.State, k.Provider, k.Event, k.ID, strconv.Itoa(k.Attempts), due, last,
		} {
			if i > 0 {
				_, _ = io.WriteString(table, "\t")
			}
			_, _ = io.WriteString(table, orDash(visible(column)))
		}
		_, _ = io.WriteString(table, "\n")
	}
	_ = table.Flush() // into memory
	return text.String()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
