package webhook

import (
	"errors"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "webhook",
		Usage: "schemes|sign|send|verify|list|tail|show|inspect|forget|inbox|health",
		Short: "Signs, sends and verifies webhook deliveries",
		Long: `Signs, sends and verifies webhook deliveries, by the rules that the
handler verify_webhook goes by.

A secret is written as it is, or as env:NAME (an environment variable) or
file:PATH (a file's content without its final newline), which keeps it out of
the shell's history and the list of processes. A TIME is RFC 3339, such as
2026-01-31T12:00:00Z, or Unix seconds.

The body is FILE, or standard input; its exact bytes are what is signed.

Exit status: 0 accepted, or every answer was 2xx; 1 rejected, or another
answer or none; 2 wrong usage.`,
		CobraFunc: (&command{now: time.Now}).build,
	})
}

// command is what the sub-commands share.
type command struct {
	now func() time.Time // tests have their own clock
}

func (c *command) build(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return end(cmd, errors.New("unknown sub-command; write schemes, sign, send, verify, list, tail, show, inspect, forget, inbox or health"))
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return end(cmd, flagError(cmd, err))
	})
	cmd.AddCommand(proxyCommand(), schemesCommand(), c.signCommand(), c.sendCommand(), c.verifyCommand(), listDeliveriesCommand(), tailCommand(), showCommand(), inspectCommand(), c.forgetCommand(), c.inboxCommand(), healthCommand())
}

// ending makes cobra's function out of one that reports what went wrong.
func ending(run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return end(cmd, run(cmd, args))
	}
}
