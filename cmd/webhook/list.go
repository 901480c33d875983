package webhook

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/schemes"
)

func listCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schemes",
		Short: "Lists the schemes: how each provider signs",
		Args:  noArgs,
		RunE: ending(func(cmd *cobra.Command, _ []string) error {
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			// Flush reports what these report.
			_, _ = fmt.Fprintln(table, "SCHEME\tSIGNATURE HEADER\tSIGNED BYTES\tSIGNED TIME\tSOURCE")
			for _, s := range schemes.All() {
				_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.SignatureHeader, plain(s.SignedBytes), whereTimeIs[s.Time], s.Source)
			}
			return table.Flush()
		}),
	}
}

var whereTimeIs = map[schemes.TimeSource]string{
	schemes.NoTime:        "none",
	schemes.TimeInHeaders: "headers",
	schemes.TimeInBody:    "body, if a tolerance is set",
}
