package webhook

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Errors name options and never repeat what stood behind them: it may be a
// secret, also where another thing was expected, such as behind a typing
// error or when a secret with blanks was not quoted.

// option is a flag that takes a text and may be given once; cobra's own flags
// let the last one win without a word. It implements pflag.Value.
type option struct {
	name, kind string
	text       string
}

// newOption adds a flag to a command; kind stands for its value in the help.
func newOption(cmd *cobra.Command, name, kind, usage string) *option {
	o := &option{name: name, kind: kind}
	cmd.Flags().Var(o, name, usage)
	return o
}

// String gives the text.
func (o *option) String() string { return o.text }

// Type gives what stands for the text in the help.
func (o *option) Type() string { return o.kind }

// Set takes the text from the command line.
func (o *option) Set(text string) error {
	switch {
	case text == "":
		return optionError(fmt.Sprintf("--%s is empty; write --%s %s", o.name, o.name, o.kind))
	case o.text != "":
		return optionError(fmt.Sprintf("--%s is given twice; write it once", o.name))
	}
	o.text = text
	return nil
}

// optionError is a message that may be shown as it is.
type optionError string

// Error gives the message.
func (e optionError) Error() string { return string(e) }

// required reports the options that are missing.
func required(options ...*option) error {
	var missing []string
	for _, o := range options {
		if o.text == "" {
			missing = append(missing, "--"+o.name+" "+o.kind)
		}
	}
	if missing == nil {
		return nil
	}
	return fmt.Errorf("missing option; add %s", strings.Join(missing, " "))
}

// namedFlag is what pflag's errors about a flag have in common.
type namedFlag interface {
	error
	GetSpecifiedName() string
	GetSpecifiedShortnames() string
}

// flagError says what is wrong with an option, in place of pflag's messages,
// which repeat what was typed.
func flagError(cmd *cobra.Command, err error) error {
	if shown, ok := errors.AsType[optionError](err); ok {
		return shown
	}
	named, ok := errors.AsType[namedFlag](err)
	if !ok {
		return errors.New("an option cannot be read; write --name value")
	}
	name := named.GetSpecifiedName()
	switch {
	case named.GetSpecifiedShortnames() != "":
		return errors.New("options begin with two dashes, such as --scheme; write FILE with ./ in front if its name begins with a dash")
	case cmd.Flags().Lookup(name) != nil:
		return fmt.Errorf("--%s needs a value behind it", name)
	case strings.HasPrefix(name, "secret"):
		return errors.New("unknown option that begins like --secret; write --secret K, with a blank in between")
	}
	return fmt.Errorf("unknown option --%s", name)
}
