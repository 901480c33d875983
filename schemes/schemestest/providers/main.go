// Command providers writes what the documentation says about each provider from
// the registry: docs/providers.md, and the names in the README.
//
//	go run ./schemes/schemestest/providers
package main

import (
	"errors"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

func main() {
	log.SetFlags(0)
	if err := writeAll("."); err != nil {
		log.Fatal(err)
	}
}

// writeAll brings the pages of the repository at root up to date.
func writeAll(root string) error {
	for path, update := range pages {
		path = filepath.Join(root, path)
		old, err := os.ReadFile(path) //nolint:gosec // it is one of pages
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		text, err := update(string(old), schemes.All())
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // it is documentation
			return err
		}
	}
	return nil
}

// pages says how each page follows from what it was and from the schemes.
var pages = map[string]func(old string, all []*schemes.Scheme) (string, error){
	"README.md":         readme,
	"docs/providers.md": func(_ string, all []*schemes.Scheme) (string, error) { return providersPage(all), nil },
}

// The marks in the README between which the names stand.
const (
	beginMark = "<!-- BEGIN providers: written by make docs -->\n"
	endMark   = "<!-- END providers -->\n"
)

// readme exchanges the names in the README.
func readme(old string, all []*schemes.Scheme) (string, error) {
	before, rest, begins := strings.Cut(old, beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return "", errors.New("the README lacks the comments BEGIN providers and END providers")
	}
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = name(s)
	}
	return before + beginMark + "\n" + wrap(strings.Join(names, ", ")+".") + "\n" + endMark + after, nil
}

// wrap breaks a text into lines of at most 80 characters.
func wrap(text string) string {
	var out strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
		case column+1+len(word) > 80:
			out.WriteByte('\n')
			column = 0
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += len(word)
	}
	return out.String() + "\n"
}

const introduction = `# Providers

Made from the code by ` + "`make docs`" + `. ` + "`hooklatch webhook schemes`" + ` lists the same schemes.

## How they sign

Where an id is signed, a delivery is known by it, otherwise by its content. An id
in the body may be absent from some deliveries.
`

const secrets = `
## Their secrets

The secret of a scheme with a public key is that key: ` + "`discord`" + `'s is the
application's public key, ` + "`sendgrid`" + `'s the verification key that it shows.
` + "`standard`" + ` ([Standard Webhooks](https://www.standardwebhooks.com)) uses Ed25519
if the secret is a public key, ` + "`whpk_…`" + `. Write McEasy's secret in base64, as
McEasy shows it. Write all other secrets as they are.

The rules come from the providers' own pages. Where a page contradicts itself
(McEasy's key as bytes or as text, Cryptr's hex or base64url), Hooklatch accepts
both readings of the one secret. McEasy and GitLab send without a signature if no
secret is set there: Hooklatch rejects such deliveries.`

const facts = `
## What deliveries tell

Event, time and tenant are members of the body unless a header is named. They are
passed on only once they are verified. What is not signed is passed on under names
that say so.
`

const conflicts = `
## Conflicts

Only an occurrence ID that the provider documents as unique for each event decides
about new content; the others are information. Where delivered content comes again
under another ID or event type, [` + "`on_conflict`" + `](reference.md#conflicts) decides. Its
default is ` + "`reject`" + `, unless the provider sends such deliveries itself.
`

const sending = `
## What they do with an answer

Where a provider sends nothing again, an event is lost while your application is
down. These facts come from the providers' documentation and, where that is
silent, from reports of their users. "Not documented" means that neither says.
`

const witnesses = `
## What shows that they are right

No real delivery of any provider was at hand. Each scheme follows the provider's
own documentation, and is compared with what else could be had: a signature that
the provider has published, and the provider's own libraries, in these versions.
A test lets the libraries that sign make deliveries, which must be accepted, and
altered ones, which must be refused. The libraries that verify must say the same
of every one of them. Where no library signs, a test signs as the documentation
says, and the library that verifies says whether rightly.

The published signatures, and what is to be refused, are in
[` + "`schemes/testdata`" + `](../schemes/testdata), in a form that any implementation can
be tried with.
`

// providersPage is docs/providers.md.
func providersPage(all []*schemes.Scheme) string {
	var page strings.Builder
	signing := newTable("scheme", "signature header", "algorithm", "secret", "signed", "encoding", "send time", "id")
	telling := newTable("scheme", "event", "event's own time", "tenant", "environment", "event, not signed", "occurrence ID, not signed")
	conflict := newTable("scheme", "occurrence ID", "default of `on_conflict`", "because")
	answers := newTable("scheme", "deadline for the answer", "retries after a failure", "largest body", "reads the answer of")
	known := newTable("scheme", "witness", "published signature", "library that signs", "library that verifies", "source", "note")
	for _, s := range all {
		d, w := s.Description, s.Witness
		signing.row(name(s), d.Signature, d.Algorithm, s.SecretForm, signedText(s), d.Encoding, orNone(d.Time), orNone(d.ID))
		telling.row(name(s), orNone(d.Event), d.OccurredAt, d.Tenant, d.Environment, d.UnsignedEvent, d.OccurrenceID)
		if s.UniqueOccurrence || s.OnConflict != "" {
			conflict.row(name(s), uniqueness(s), "`"+onConflict(s)+"`", d.Conflict)
		}
		deadline, retries, largestBody := s.Sending.Words()
		answers.row(name(s), deadline, retries, largestBody, orNone(s.Sending.ReadsAnswer))
		known.row(name(s), w.String(), orNone(w.Published), orNone(w.Signs), orNone(w.Verifies), s.Source, w.Note)
	}
	for _, part := range []string{
		introduction, signing.String(), secrets, facts, telling.String(), conflicts, conflict.String(), sending, answers.String(), witnesses, known.String(),
	} {
		page.WriteString(part)
		if strings.HasSuffix(part, ".\n") {
			page.WriteString("\n")
		}
	}
	return page.String()
}

func name(s *schemes.Scheme) string { return "`" + s.Name + "`" }

// signedText is a template as code, and what is said in words as it is.
func signedText(s *schemes.Scheme) string {
	if strings.ContainsAny(s.SignedBytes, "{|") {
		return "`" + s.SignedBytes + "`"
	}
	return s.SignedBytes
}

func uniqueness(s *schemes.Scheme) string {
	switch {
	case s.UniqueOccurrence:
		return "unique for each event"
	case s.Description.OccurrenceID == "":
		return "none"
	}
	return "information"
}

func onConflict(s *schemes.Scheme) string {
	if s.OnConflict == "" {
		return schemes.ConflictReject
	}
	return s.OnConflict
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// join lists what is not empty.
func join(texts ...string) string {
	var list []string
	for _, text := range texts {
		if text != "" {
			list = append(list, text)
		}
	}
	return strings.Join(list, ", ")
}

// table is one in Markdown.
type table struct{ strings.Builder }

func newTable(columns ...string) *table {
	t := &table{}
	t.row(columns...)
	t.WriteString(strings.Repeat("| --- ", len(columns)) + "|\n")
	return t
}

func (t *table) row(cells ...string) {
	for _, cell := range cells {
		if t.WriteString("|"); cell != "" {
			t.WriteString(" " + strings.ReplaceAll(cell, "|", `\|`))
		}
		t.WriteString(" ")
	}
	t.WriteString("|\n")
}
