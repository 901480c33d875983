package webhook

import (
	"errors"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

const exitUsage = 2

// errUnsuccessful ends a command with exit status 1: the delivery is rejected,
// or was not answered 2xx. What there is to say has been printed.
var errUnsuccessful = errors.New("unsuccessful")

// end turns an error into the one that makes Caddy's main exit with the right
// status. The message is printed here and not by Caddy, whose logger would
// make a log line of it.
func end(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	cmd.SilenceErrors = true
	cmd.SilenceUsage = true
	if errors.Is(err, errUnsuccessful) {
		return err // any error that is not Caddy's own is status 1
	}
	cmd.PrintErrf("Error: %v\nRun '%s --help' for usage.\n", err, cmd.CommandPath())
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) {
		return exitUsage, nil
	})(cmd, nil)
}
