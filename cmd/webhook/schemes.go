package webhook

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/schemes"
)

func schemesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schemes [WORD] [--definition FILE]",
		Short: "Lists the schemes: how each provider signs",
		Long: `Lists the schemes: the header of the signature, how the secret is written, where
the signed time is, what is signed, and where that is documented. With a word, it
lists those that have it in their name, header or documentation. With --definition
it shows how yours is understood.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return end(cmd, errors.New("more than one word to look for; write one, such as a part of a name"))
			}
			return nil
		},
		DisableFlagsInUseLine: true,
	}
	own := newChoice(cmd)
	cmd.RunE = ending(func(cmd *cobra.Command, args []string) error {
		list := schemes.All()
		if len(args) == 1 {
			if list = having(list, args[0]); len(list) == 0 {
				return errors.New("no scheme has this word in its name, header or documentation; webhook schemes lists them all, and --definition takes one of your own")
			}
		}
		if own.definition.text != "" || own.scheme.text != "" {
			scheme, _, err := own.find()
			if err != nil {
				return err
			}
			list = []schemes.Scheme{scheme}
		}
		return write(cmd, table(list))
	})
	return cmd
}

// having are the schemes that have a word in their name, the header of their
// signature or their source, in upper or lower case.
func having(list []schemes.Scheme, word string) []schemes.Scheme {
	word = strings.ToLower(word)
	return slices.DeleteFunc(list, func(s schemes.Scheme) bool {
		return !strings.Contains(strings.ToLower(s.Name()+"\n"+s.SignatureHeader()+"\n"+s.Source()), word)
	})
}

// table returns a line in columns for each scheme, with longer texts below it,
// so that all of it fits into 100 columns.
func table(list []schemes.Scheme) string {
	rows := make([][]any, 0, 1+len(list))
	rows = append(rows, []any{"SCHEME", "SIGNATURE HEADER", "SECRET", "SIGNED TIME"})
	for _, s := range list {
		rows = append(rows, []any{s.Name(), s.SignatureHeader(), s.SecretForm(), whereTimeIs[s.Time()]})
	}
	var width [3]int
	for _, row := range rows {
		for i := range width {
			width[i] = max(width[i], len(row[i].(string)))
		}
	}
	format := fmt.Sprintf("%%-%ds  %%-%ds  %%-%ds  %%s\n", width[0], width[1], width[2])
	var out strings.Builder
	fmt.Fprintf(&out, format, rows[0]...)
	for i, s := range list {
		fmt.Fprintf(&out, format, rows[i+1]...)
		fmt.Fprintf(&out, "    signs %s\n", plain(s.SignedBytes()))
		if s.Source() != "" {
			fmt.Fprintf(&out, "    %s\n", plain(s.Source()))
		}
		if _, registered := schemes.Get(s.Name()); registered {
			deadline, retries, largestBody := s.Sending().Words()
			fmt.Fprintf(&out, "    witness: %s\n    deadline: %s\n    retries: %s\n    largest body: %s\n",
				s.Witness(), deadline, plain(retries), largestBody)
			if options := s.Defaults().Words(); len(options) > 0 {
				fmt.Fprintf(&out, "    default: %s\n", strings.Join(options, ", "))
			}
		}
	}
	return out.String()
}

var whereTimeIs = map[schemes.TimeSource]string{
	schemes.NoTime:        "none",
	schemes.TimeInHeaders: "headers",
	schemes.TimeInBody:    "body, with tolerance",
}
