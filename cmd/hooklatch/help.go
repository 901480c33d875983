package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// asksForHelp reports whether the arguments ask for the help of the whole
// program rather than of one command.
func asksForHelp(args []string) bool {
	return len(args) == 0 || len(args) == 1 && slices.Contains([]string{"help", "--help", "-h"}, args[0])
}

const beginning = `Hooklatch verifies webhook deliveries before they reach your application.

To try it, and before an application of your own:
  hooklatch webhook demo
  hooklatch webhook proxy --to 3000 --scheme stripe --secret env:STRIPE_SECRET

As a service, with a Caddyfile:
  hooklatch webhook proxy --to 3000 --scheme stripe --secret env:STRIPE_SECRET --print-caddyfile >Caddyfile
  hooklatch run
  hooklatch reload

`

// tasks groups Caddy's commands by task.
var tasks = []struct {
	task  string
	names []string
}{
	{"Run a gateway", []string{"run", "start", "stop", "reload"}},
	{"Write a configuration", []string{"validate", "adapt", "fmt", "environ", "hash-password"}},
	{"Serve something else", []string{"reverse-proxy", "file-server", "respond"}},
	{"Certificates and storage", []string{"trust", "untrust", "storage"}},
	{"This binary", []string{"version", "list-modules", "build-info", "completion", "manpage", "add-package", "remove-package", "upgrade"}},
}

const ending = `
'hooklatch <command> --help' explains a command and its flags.
Documentation: https://github.com/hooklatch/hooklatch/tree/main/docs
Hooklatch is a Caddy with the directive verify_webhook: https://caddyserver.com/docs
`

// printHelp lists the commands by task. Caddy's own help is a single list.
func printHelp(w io.Writer) error {
	text := new(strings.Builder)
	text.WriteString(beginning)
	commands := maps.Clone(caddycmd.Commands())
	commands["completion"] = caddycmd.Command{Short: "Generate completion script"}
	commands["manpage"] = caddycmd.Command{Short: "Generates the manual pages for Caddy commands"}

	listWebhook(text, commands["webhook"])
	for _, t := range tasks {
		list(text, t.task, commands, t.names)
	}
	delete(commands, "webhook")
	if others := slices.Sorted(maps.Keys(commands)); len(others) > 0 {
		list(text, "Others", commands, others)
	}
	text.WriteString(ending)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(table, text.String()); err != nil {
		return err
	}
	return table.Flush()
}

// list prints commands under their task and removes them from the map.
func list(w *strings.Builder, task string, commands map[string]caddycmd.Command, names []string) {
	fmt.Fprintf(w, "\n%s:\n", task)
	for _, name := range names {
		if command, there := commands[name]; there {
			fmt.Fprintf(w, "  %s\t%s\n", name, summary(command.Short))
			delete(commands, name)
		}
	}
}

// listWebhook prints the sub-commands of webhook by group.
func listWebhook(w *strings.Builder, command caddycmd.Command) {
	webhook := &cobra.Command{Use: "webhook"}
	command.CobraFunc(webhook)
	for i, group := range webhook.Groups() {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, group.Title)
		for _, sub := range webhook.Commands() {
			if sub.GroupID == group.ID {
				fmt.Fprintf(w, "  webhook %s\t%s\n", sub.Name(), summary(sub.Short))
			}
		}
	}
}

func summary(short string) string { return strings.TrimSuffix(strings.TrimSpace(short), ".") }

// help prints the help and returns the exit status.
func help() int {
	if err := printHelp(os.Stdout); err != nil {
		return 1
	}
	return 0
}
