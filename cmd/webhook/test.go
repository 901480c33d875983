package webhook

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/schemes"
	"github.com/hooklatch/hooklatch/schemes/explain"
	"github.com/hooklatch/hooklatch/schemes/schemestest"
)

func testCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test (--definition FILE | --scheme S) VECTORS",
		Short: "Tests a scheme with deliveries and their right answers",
		Long: `Tests a scheme of your own, or a built-in one, with a file of vectors: deliveries
with the answer that a verifier should give. It prints the ones that get another
answer and, for a delivery that should be accepted, what explains it.

VECTORS is a JSON list of objects with the fields name, secrets, method, headers,
body_base64, at, expect and reason, and url where it is signed:
https://github.com/hooklatch/hooklatch/tree/main/schemes/testdata

Exit status: 0 all answers are right; 1 some are not; 2 wrong usage.`,
		Example:               `  hooklatch webhook test --definition acme.scheme acme.json`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return end(cmd, errors.New("write one file of vectors"))
			}
			return nil
		},
	}
	chosen := newChoice(cmd)
	cmd.RunE = ending(func(cmd *cobra.Command, args []string) error {
		if err := required(chosen.needed()...); err != nil {
			return err
		}
		text, err := readFile(args[0], maxInput)
		if err != nil {
			return fmt.Errorf("the vectors cannot be read: %w; write the path of a file", err)
		}
		return chosen.test(cmd, text)
	})
	return cmd
}

// test runs the vectors, and prints the wrong answers and their number.
func (c choice) test(cmd *cobra.Command, text []byte) error {
	scheme, definition, err := c.find()
	if err != nil {
		return err
	}
	vectors, err := schemestest.Parse(text, scheme.Name())
	if err != nil {
		return fmt.Errorf("the vectors cannot be read: %w", err)
	}
	if len(vectors) == 0 {
		return errors.New("there are no vectors in the file; write at least one")
	}
	wrong := 0
	var out strings.Builder
	for _, v := range vectors {
		answer, err := schemestest.VerifyWith(scheme, v)
		if err != nil {
			return fmt.Errorf("%s: %w", v.Name, err)
		}
		problem := v.Wrong(answer)
		if problem == "" {
			continue
		}
		wrong++
		fmt.Fprintf(&out, "%s: %s\n", v.Name, problem)
		if v.Expect != schemestest.Accept {
			continue
		}
		d := explain.Delivery{Scheme: scheme, Definition: definition, Secrets: v.Secrets, Request: v.Request(), Body: v.Body}
		for _, f := range d.Refused(cmd.Context(), schemes.Reason(answer.Reason)).Findings {
			fmt.Fprintf(&out, "  %s: %s\n", f.What, f.Do)
		}
	}
	fmt.Fprintf(&out, "%d vectors, %d wrong\n", len(vectors), wrong)
	if err := write(cmd, out.String()); err != nil {
		return err
	}
	if wrong > 0 {
		return errUnsuccessful
	}
	return nil
}
