package webhook

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/caddyfile/definition"
	"github.com/hooklatch/hooklatch/schemes"
)

// choice has the options that choose a scheme.
type choice struct{ scheme, definition *option }

func newChoice(cmd *cobra.Command) choice {
	c := choice{
		scheme:     newOption(cmd, "scheme", "S", "the scheme; the sub-command schemes lists them"),
		definition: newOption(cmd, "definition", "FILE", "a scheme of your own: the block scheme_definition as in a Caddyfile, or JSON; --scheme may name it"),
	}
	completeSchemes(cmd)
	return c
}

// custom is the name of a user's own scheme if --scheme is not given.
const custom = "custom"

// needed returns the options that are required.
func (c choice) needed(others ...*option) []*option {
	if c.definition.text != "" {
		return others
	}
	return append([]*option{c.scheme}, others...)
}

// find returns the chosen scheme, and its definition if it is the user's own.
func (c choice) find() (schemes.Scheme, *schemes.Definition, error) {
	if c.definition.text != "" {
		return c.define()
	}
	scheme, ok := schemes.Get(c.scheme.text)
	if !ok {
		return schemes.Scheme{}, nil, fmt.Errorf("--scheme is not known; write one of %s, or --definition FILE with one of your own", strings.Join(schemes.Names(), ", "))
	}
	return scheme, nil, nil
}

// define compiles the user's own scheme and returns it with its definition.
func (c choice) define() (schemes.Scheme, *schemes.Definition, error) {
	name := c.scheme.text
	if name == "" {
		name = custom
	}
	if _, taken := schemes.Get(name); taken {
		return schemes.Scheme{}, nil, fmt.Errorf("--scheme names a scheme that is there already, and --definition another one; leave --scheme or --definition out")
	}
	content, err := readFile(c.definition.text, maxDefinition)
	if err != nil {
		return schemes.Scheme{}, nil, fmt.Errorf("--definition cannot be read: %w; write the path of a file", err)
	}
	own, err := definition.ReadFile(c.definition.text, content)
	if err != nil {
		return schemes.Scheme{}, nil, err
	}
	scheme, err := own.Compile(name)
	if err != nil {
		return schemes.Scheme{}, nil, fmt.Errorf("%s: %w", c.definition.text, err)
	}
	return scheme, &own, nil
}

// maxDefinition bounds, in bytes, the file of a definition.
const maxDefinition = 1 << 20
