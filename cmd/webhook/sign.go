package webhook

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hooklatch/hooklatch/schemes"
)

func (c *command) signCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sign (--scheme S | --definition FILE) --secret K [--event E] [--id I] [--at TIME] [--url URL] [--method METHOD] [--header 'Name: value'] [FILE|-]",
		Short: "Signs a delivery and prints its headers, one per line",
		Example: `  hooklatch webhook sign --scheme craneops --secret env:CRANEOPS_SECRET --event booking.created body.json
  hooklatch webhook sign --scheme cryptr --secret file:key.txt body.json >headers.txt
  curl --header @headers.txt --data-binary @body.json http://localhost:8080/cryptr`,
		Args:                  oneFile,
		DisableFlagsInUseLine: true,
	}
	s := newSigner(c, cmd, "a header that the scheme signs, `'Name: value'`; repeatable")
	cmd.RunE = ending(func(cmd *cobra.Command, args []string) error {
		d, err := s.sign(cmd, args)
		if err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(d.extra)) {
			if !slices.Equal(d.header[name], d.extra[name]) {
				return fmt.Errorf("--header %s is not one that this scheme signs and that --at, --id or --event do not make; leave it out", name)
			}
		}
		var out strings.Builder
		writeHeaders(&out, d.header, d.order)
		return write(cmd, out.String())
	})
	return cmd
}

// signer holds the options that sign and send share.
type signer struct {
	choice
	command               *command
	secret, event, id, at *option
	target                target
	headers               headerLines
	to                    *option // the URL of send, which is signed unless --url is given
}

// signed is a delivery as its provider would send it.
type signed struct {
	header http.Header
	extra  http.Header // the headers of --header
	order  []string    // the order of the headers
	body   []byte
}

func newSigner(c *command, cmd *cobra.Command, headerUsage string) *signer {
	s := &signer{
		choice:  newChoice(cmd),
		command: c,
		secret:  newOption(cmd, "secret", "K", secretUsage),
		event:   newOption(cmd, "event", "E", "the event, for schemes that have it in a header"),
		id:      newOption(cmd, "id", "I", "the id or occurrence ID, for schemes that have one in a header"),
		at:      newOption(cmd, "at", "TIME", "the send time; default: now"),
		target:  newTarget(cmd),
	}
	cmd.Flags().StringArrayVar((*[]string)(&s.headers), "header", nil, headerUsage)
	return s
}

// sign reads the body and signs its delivery.
func (s *signer) sign(cmd *cobra.Command, args []string) (*signed, error) {
	if err := required(s.needed(s.secret)...); err != nil {
		return nil, err
	}
	scheme, _, err := s.find()
	if err != nil {
		return nil, err
	}
	secrets, err := readSecrets([]string{s.secret.text})
	if err != nil {
		return nil, err
	}
	var to string
	if s.to != nil {
		to = s.to.text
	}
	request, err := s.target.request(scheme, to)
	if err != nil {
		return nil, err
	}
	if request.Header, err = s.headers.read(); err != nil {
		return nil, err
	}
	d := schemes.Delivery{Request: request, Event: s.event.text, ID: s.id.text}
	if !isFieldValue(d.Event) || !isFieldValue(d.ID) {
		return nil, errors.New("--event and --id stand in headers; write them without control characters")
	}
	if d.At, err = timeOr(s.at, s.command.now); err != nil {
		return nil, err
	}
	if d.Body, err = readBody(cmd, args); err != nil {
		return nil, err
	}
	h, err := scheme.SignWith(secrets[0], d)
	if err != nil {
		return nil, s.missing(err, scheme, secrets[0], d)
	}
	order := slices.Concat([]string{scheme.SignatureHeader()}, scheme.SignedHeaders(), scheme.UnsignedHeaders())
	return &signed{header: h, extra: request.Header, order: order, body: d.Body}, nil
}

// missing adds to the error of a scheme the option that would fix it. It finds
// the option by trying: with the right one, the error disappears.
func (s *signer) missing(err error, scheme schemes.Scheme, secret string, d schemes.Delivery) error {
	lacksHeader := func(err error) bool {
		refusal, ok := errors.AsType[schemes.Refusal](err)
		return ok && refusal.Reason() == schemes.MissingSignedHeader
	}
	if lacksHeader(err) {
		return fmt.Errorf("%w; add --header 'Name: value', since this scheme signs it", err)
	}
	for _, try := range []struct {
		option *option
		field  *string
	}{{s.id, &d.ID}, {s.event, &d.Event}} {
		if *try.field != "" {
			continue
		}
		*try.field = "1"
		if _, with := scheme.SignWith(secret, d); with == nil || lacksHeader(with) {
			return fmt.Errorf("%w; add --%s %s", err, try.option.name, try.option.kind)
		}
		*try.field = ""
	}
	return err
}

// writeHeaders writes the headers one per line: those in first in that order,
// then the others by name.
func writeHeaders(out *strings.Builder, h http.Header, first []string) {
	rest := slices.DeleteFunc(slices.Sorted(maps.Keys(h)), func(name string) bool {
		return slices.Contains(first, name)
	})
	for _, name := range slices.Concat(first, rest) {
		for _, value := range h[name] {
			fmt.Fprintf(out, "%s: %s\n", name, value)
		}
	}
}
