package webhook

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Errors name options and never repeat their values. Any value may be a secret
// in the wrong place, for example after a mistyped option or if a secret with
// spaces was not quoted.

// option is a flag that takes a text and may be given once. With cobra's own
// flags the last value silently wins. It implements pflag.Value.
type option struct {
	name, kind string
	text       string
}

// newOption adds a flag to a command. The help shows kind in place of its
// value.
func newOption(cmd *cobra.Command, name, kind, usage string) *option {
	o := &option{name: name, kind: kind}
	cmd.Flags().Var(o, name, usage)
	return o
}

// String returns the text.
func (o *option) String() string { return o.text }

// Type returns the word for the text in the help.
func (o *option) Type() string { return o.kind }

// Set sets the text from the command line.
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

// optionError is an error whose text contains no secret and may be shown.
type optionError string

// Error returns the message.
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

// namedFlag is the interface of pflag's errors about a flag.
type namedFlag interface {
	error
	GetSpecifiedName() string
	GetSpecifiedShortnames() string
}

// flagError replaces pflag's errors, which repeat the text that was typed.
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
