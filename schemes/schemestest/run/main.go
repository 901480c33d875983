// Run runs the conformance suite through an implementation in any language. The
// implementation is a program. It reads one vector per line as JSON, and
// answers each with a line: accept or reject, with an optional reason.
//
//	go run ./schemes/schemestest/run [--must] [--scheme S] [--dir DIR] PROGRAM [ARG...]
//
// The exit status is 0 if all answers are right, 1 if some are not, and 2 if the
// program could not be asked. With --must, only vectors on which every correct
// verifier agrees count.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/hooklatch/hooklatch/schemes/schemestest"
)

var errWrong = errors.New("wrong answers")

func main() {
	err := run(os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, errWrong):
		os.Exit(1)
	case err != nil && !errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(2)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	must := flags.Bool("must", false, "only the vectors on which any correct verifier agrees")
	scheme := flags.String("scheme", "", "only those of this scheme")
	dir := flags.String("dir", "schemes/testdata", "the folder of the vectors")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("there is no program; write the one that verifies, with its arguments")
	}
	vectors, err := schemestest.Read(*dir)
	if err != nil {
		return err
	}
	cmd := exec.Command(flags.Arg(0), flags.Args()[1:]...) //nolint:gosec // the user names the program
	cmd.Stderr = os.Stderr
	questions, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	in := bufio.NewReader(answers)
	asked, wrong := 0, 0
	for _, v := range vectors {
		if *scheme != "" && v.Scheme != *scheme || *must && v.Level != schemestest.Must {
			continue
		}
		asked++
		answer, err := schemestest.Exchange(questions, in, v)
		if err != nil {
			_ = questions.Close()
			return errors.Join(fmt.Errorf("%s: %w", v.ID(), err), cmd.Wait())
		}
		if problem := v.Wrong(answer); problem != "" {
			wrong++
			_, _ = fmt.Fprintf(out, "%s: %s\n", v.ID(), problem)
		}
	}
	_ = questions.Close()
	if err := cmd.Wait(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%d of %d answers are wrong\n", wrong, asked)
	switch {
	case asked == 0:
		return fmt.Errorf("no vectors of %s", *scheme)
	case wrong > 0:
		return errWrong
	}
	return nil
}
