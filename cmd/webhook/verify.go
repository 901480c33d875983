package webhook

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/schemes"
	"github.com/hooklatch/hooklatch/schemes/explain"
)

func (c *command) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify (--scheme S | --definition FILE) --secret K --headers FILE [--at TIME] [--tolerance D] [--url URL] [--method METHOD] [FILE|-]",
		Short: "Verifies a delivery that was kept",
		Long: `Verifies a delivery that was kept: its headers in one file, as tools, logs and
providers' pages print them, its body in another. Says which bytes are signed
and, if the signature does not match, which common mistake explains it.`,
		Example: `  hooklatch webhook verify --scheme cryptr --secret env:CRYPTR_SIGNATURE_KEY --headers headers.txt body.json
  hooklatch webhook verify --scheme cryptr --secret file:new.txt --secret file:old.txt --headers headers.txt --at 2026-01-31T12:00:00Z body.json`,
		Args:                  oneFile,
		DisableFlagsInUseLine: true,
	}
	v := &verify{
		command:   c,
		choice:    newChoice(cmd),
		headers:   newOption(cmd, "headers", "FILE", "the headers: lines, or the object of a language; Request URL and Request method serve as --url and --method"),
		at:        newOption(cmd, "at", "TIME", "the time to judge the signed time by; default: now"),
		tolerance: newOption(cmd, "tolerance", "D", "how old the signed time may be, or off; default: 5m, off where it is in the body"),
	}
	v.target = newTarget(cmd)
	cmd.Flags().StringArrayVar(&v.secrets, "secret", nil, secretUsage+"; repeatable, any one may match")
	cmd.RunE = ending(v.run)
	return cmd
}

// verify holds the options of the command.
type verify struct {
	choice
	command                *command
	headers, at, tolerance *option
	secrets                []string
	target                 target
}

func (v *verify) run(cmd *cobra.Command, args []string) error {
	if err := v.required(); err != nil {
		return err
	}
	scheme, definition, err := v.find()
	if err != nil {
		return err
	}
	fresh, err := windowOf(scheme, v.tolerance)
	if err != nil {
		return err
	}
	now, err := timeOr(v.at, v.command.now)
	if err != nil {
		return err
	}
	secrets, err := readSecrets(v.secrets)
	if err != nil {
		return err
	}
	d := &explain.Delivery{Scheme: scheme, Definition: definition, Secrets: secrets}
	verifier, err := scheme.NewVerifier(secrets)
	if err != nil {
		return withAdvice(err, d.UnreadableSecret(err))
	}
	text, err := readFile(v.headers.text, maxHeaderBytes)
	if err != nil {
		return fmt.Errorf("--headers cannot be read: %w; write the path of a file", err)
	}
	kept, err := readHeaders(text)
	if err != nil {
		return err
	}
	request, err := v.target.requestOf(scheme, kept)
	if err != nil {
		return err
	}
	body, err := readBody(cmd, args)
	if err != nil {
		return err
	}
	r, err := check(verifier, fresh, now, request, body)
	if err != nil {
		return err
	}
	d.Request, d.Body = request, body
	r.explain(cmd.Context(), d)
	if err := write(cmd, r.report(len(secrets))); err != nil {
		return err
	}
	if !r.accepted() {
		return errUnsuccessful
	}
	return nil
}

func (v *verify) required() error {
	if v.secrets == nil {
		return required(v.needed(&option{name: "secret", kind: "K"}, v.headers)...)
	}
	return required(v.needed(v.headers)...)
}

// signsBody is the SignedBytes of schemes that sign only the body. The signed
// text is then known even if the headers are refused.
const signsBody = "body"

// result holds the facts about a delivery.
type result struct {
	scheme   schemes.Scheme
	refusal  schemes.Refusal // empty: accepted
	now      time.Time
	judged   bool
	verified bool // the signature is verified; the time may still be refused
	secret   int  // position of the secret that matches
	known    bool // whether the signed text is known
	signed   []byte
	facts    schemes.Event

	sentAt                      time.Time // from the headers
	occurrenceID, unsignedEvent schemes.Unsigned

	explanation explain.Explanation // the explanation of the verdict
}

// check verifies a delivery as the handler does, without a history.
func check(verifier *schemes.Verifier, fresh schemes.Window, now time.Time, request schemes.Request, body []byte) (result, error) {
	r := result{scheme: verifier.Scheme(), now: now, judged: fresh.Judged}
	d, err := verifier.Begin(request)
	if err != nil {
		if r.scheme.SignedBytes() == signsBody {
			r.known, r.signed = true, body
		}
		return r, r.refuse(err)
	}
	defer d.Close()
	r.sentAt, r.occurrenceID, r.unsignedEvent = d.SignedHeaders.SentAt, d.SignedHeaders.OccurrenceID, d.SignedHeaders.UnsignedEvent
	_, _ = d.Write(body) // never fails
	if signed, err := d.Signed(); err == nil {
		r.known, r.signed = true, slices.Clone(signed)
	}
	if r.secret, err = d.Authenticate(); err != nil {
		return r, r.refuse(err)
	}
	r.verified = true
	if signed, err := d.Signed(); err == nil { // the candidate that matches
		r.signed = slices.Clone(signed)
	}
	r.facts, _ = d.Verify() // the time is checked below
	if err := fresh.Judge(r.signedTime(), now); err != nil {
		return r, r.refuse(err)
	}
	return r, nil
}

// refuse stores a refusal and returns any other error.
func (r *result) refuse(err error) error {
	if errors.As(err, &r.refusal) {
		return nil
	}
	return err
}

func (r *result) accepted() bool { return r.refusal == schemes.Refusal{} }

// signedTime returns the signed time, or zero if there is none.
func (r *result) signedTime() time.Time {
	if r.scheme.Time() == schemes.TimeInBody {
		return r.facts.BodyTime
	}
	return r.sentAt
}
