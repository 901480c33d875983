package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func (c *command) forgetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forget --provider P [--tenant T] --id I [--address ADMIN]",
		Short: "Lets a delivery that is in the history be delivered again",
		Long: `Removes one delivery from the history of a running gateway, through its
admin endpoint, so that it can be delivered again. P is the label, I is what the
application got as Webhook-Id, T what it got as Webhook-Tenant if the label has the
option tenants.

Exit status: 0 forgotten; 1 unknown, being handled right now, or the gateway
cannot be reached; 2 wrong usage.`,
		Example:               `  hooklatch webhook forget --provider cryptr --id sha256-e66bf0db385aa409805d35bd3f05891c`,
		Args:                  noArgs,
		DisableFlagsInUseLine: true,
	}
	provider := newOption(cmd, "provider", "P", "the label of the history")
	tenant := newOption(cmd, "tenant", "T", "whose history it is in")
	id := newOption(cmd, "id", "I", "the Webhook-Id of the delivery")
	address := newOption(cmd, "address", "ADMIN", adminUsage)
	cmd.RunE = ending(func(cmd *cobra.Command, _ []string) error {
		if err := required(provider, id); err != nil {
			return err
		}
		a, err := newAdminClient(address)
		if err != nil {
			return err
		}
		uri := "/verify_webhook/history/" + url.PathEscape(provider.text) + "/" + url.PathEscape(id.text)
		if tenant.text != "" {
			uri += "?" + url.Values{"tenant": {tenant.text}}.Encode()
		}
		if err := a.ask(cmd.Context(), http.MethodDelete, uri, nil); err != nil {
			return unreached(cmd, err)
		}
		return write(cmd, fmt.Sprintf("forgotten: %s may be delivered again\n", id.text))
	})
	return cmd
}

// noArgs rejects arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return end(cmd, errors.New("words that no option takes; write --name value"))
	}
	return nil
}
