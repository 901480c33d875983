package webhook

import (
	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/schemes"
)

// completeSchemes adds shell completion for the names of schemes.
func completeSchemes(cmd *cobra.Command) {
	// Only an unknown flag is an error, and the caller has just added it.
	_ = cmd.RegisterFlagCompletionFunc("scheme", cobra.FixedCompletions(schemes.Names(), cobra.ShellCompDirectiveNoFileComp))
}
