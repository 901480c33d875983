package webhook

import (
	"errors"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

const exitUsage = 2

// errUnsuccessful ends a command with exit status 1: the delivery was rejected
// or not answered with 2xx. The command has already printed why.
var errUnsuccessful = errors.New("unsuccessful")

// end turns an error into one that makes Caddy's main exit with the right
// status. It prints the message itself, because Caddy would write it as a log
// line.
func end(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	cmd.SilenceErrors = true
	cmd.SilenceUsage = true
	if errors.Is(err, errUnsuccessful) {
		return err // Caddy exits with status 1 for any error of another type
	}
	cmd.PrintErrf("Error: %v\nRun '%s --help' for usage.\n", err, cmd.CommandPath())
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) {
		return exitUsage, nil
	})(cmd, nil)
}
