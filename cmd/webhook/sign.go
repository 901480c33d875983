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
		Use:   "sign --scheme S --secret K [--event E] [--id I] [--at TIME] [--url URL] [--method METHOD] [FILE|-]",
		Short: "Signs a delivery and prints its headers, one per line",
		Example: `  hooklatch webhook sign --scheme craneops --secret env:CRANEOPS_SECRET --event booking.created body.json
  hooklatch webhook sign --scheme cryptr --secret file:key.txt body.json >headers.txt
  curl --header @headers.txt --data-binary @body.json http://localhost:8080/cryptr`,
		Args:                  oneFile,
		DisableFlagsInUseLine: true,
	}
	s := newSigner(c, cmd)
	cmd.RunE = ending(func(cmd *cobra.Command, args []string) error {
		d, err := s.sign(cmd, args)
		if err != nil {
			return err
		}
		var out strings.Builder
		writeHeaders(&out, d.header, d.order)
		return write(cmd, out.String())
	})
	return cmd
}

// signer has the options that sign and send share.
type signer struct {
	command                       *command
	scheme, secret, event, id, at *option
	target                        target
	to                            *option // of send: the URL, unless --url says otherwise
}

// signed is a delivery as its provider would send it.
type signed struct {
	header http.Header
	order  []string // of the headers
	body   []byte
}

func newSigner(c *command, cmd *cobra.Command) *signer {
	return &signer{
		command: c,
		scheme:  newOption(cmd, "scheme", "S", "how to sign; the sub-command schemes lists them"),
		secret:  newOption(cmd, "secret", "K", secretUsage),
		event:   newOption(cmd, "event", "E", "the event, for schemes that have it in a header"),
		id:      newOption(cmd, "id", "I", "the id or occurrence ID, for schemes that have one in a header"),
		at:      newOption(cmd, "at", "TIME", "the send time; default: now"),
		target:  newTarget(cmd),
	}
}

// sign reads the body and makes the headers of its delivery.
func (s *signer) sign(cmd *cobra.Command, args []string) (*signed, error) {
	if err := required(s.scheme, s.secret); err != nil {
		return nil, err
	}
	scheme, err := findScheme(s.scheme)
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
	d := schemes.Outgoing{Request: request, Event: s.event.text, ID: s.id.text}
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
		return nil, err
	}
	order := slices.Concat([]string{scheme.SignatureHeader}, scheme.SignedHeaders, scheme.UnsignedHeaders)
	return &signed{header: h, order: order, body: d.Body}, nil
}

// writeHeaders writes the headers one per line, those named first in their
// order, the others by name.
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
