package webhook

import (
	"net/http"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func healthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health [--address ADMIN]",
		Short: "Tells whether the gateway on this machine is running",
		Long: `Asks a gateway's admin endpoint for an answer: a health check for containers
that have no shell. It prints nothing if all is well.

Exit status: 0 running; 1 not running, or its admin endpoint is off or
elsewhere; 2 wrong usage.`,
		Args:                  noArgs,
		DisableFlagsInUseLine: true,
	}
	address := newOption(cmd, "address", "ADMIN", adminUsage)
	cmd.RunE = ending(func(cmd *cobra.Command, _ []string) error {
		admin, err := adminAddress(address)
		if err != nil {
			return err
		}
		// Requests for /metrics are the only ones that the admin endpoint does
		// not log.
		res, err := caddycmd.AdminAPIRequest(admin, http.MethodGet, "/metrics", nil, nil)
		if err != nil {
			cmd.PrintErrf("Error: %v\n", err)
			return errUnsuccessful
		}
		return res.Body.Close()
	})
	return cmd
}
