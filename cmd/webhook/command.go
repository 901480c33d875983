package webhook

import (
	"fmt"
	"slices"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "webhook",
		Usage: "<command>",
		Short: "Verifies, signs and sends webhook deliveries",
		Long: `Verifies, signs and sends webhook deliveries, by the rules of the directive
verify_webhook.

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

// command is the state that the sub-commands share.
type command struct {
	now func() time.Time // tests have their own clock
}

func (c *command) build(cmd *cobra.Command) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return end(cmd, fmt.Errorf("unknown sub-command; write one of %s", strings.Join(names(cmd.Commands()), ", ")))
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return write(cmd, fmt.Sprintf(firstSteps, cmd.CommandPath()))
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return end(cmd, flagError(cmd, err))
	})
	cmd.AddCommand(demoCommand(), proxyCommand(), schemesCommand(), c.signCommand(), c.sendCommand(), c.verifyCommand(), testCommand(), listDeliveriesCommand(), tailCommand(), showCommand(), inspectCommand(), deliverCommand(), rejudgeCommand(), c.forgetCommand(), c.inboxCommand(), healthCommand())
	for _, task := range tasks {
		for _, sub := range cmd.Commands() {
			if !slices.Contains(task.commands, sub.Name()) {
				continue
			}
			if !cmd.ContainsGroup(task.title) {
				cmd.AddGroup(&cobra.Group{ID: task.title, Title: task.title + ":"})
			}
			sub.GroupID = task.title
		}
	}
	cmd.SetHelpTemplate(cmd.HelpTemplate() + "\nDocumentation: https://github.com/hooklatch/hooklatch/tree/main/docs\n")
}

// firstSteps is printed for the command without arguments.
const firstSteps = `To try it out, with a gateway and an application:

  %[1]s demo

To verify deliveries before your application on port 3000:

  %[1]s proxy --to 3000 --scheme stripe --secret env:STRIPE_SECRET

To find out why a delivery does not verify:

  %[1]s verify --scheme stripe --secret env:STRIPE_SECRET --headers headers.txt body.json

All commands: %[1]s --help
`

// tasks groups the sub-commands by task.
var tasks = []struct {
	title    string
	commands []string
}{
	{"Begin", []string{"demo", "proxy"}},
	{"See what arrives", []string{"list", "tail", "show", "inspect"}},
	{"Deliver again", []string{"deliver", "rejudge", "forget", "inbox"}},
	{"Sign and verify by hand", []string{"schemes", "sign", "send", "verify", "test"}},
	{"Operate", []string{"health"}},
}

func names(commands []*cobra.Command) []string {
	list := make([]string, len(commands))
	for i, cmd := range commands {
		list[i] = cmd.Name()
	}
	return list
}

// ending turns a function that returns an error into one for cobra.
func ending(run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return end(cmd, run(cmd, args))
	}
}
