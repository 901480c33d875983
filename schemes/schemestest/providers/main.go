// Command providers generates documentation from the registry:
// docs/providers.md, and the names of the providers in the README.
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

// writeAll updates the pages of the repository at root.
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

// pages maps each page to a function that returns its new text from its old
// text and the schemes.
var pages = map[string]func(old string, all []schemes.Scheme) (string, error){
	"README.md":         readme,
	"docs/providers.md": func(_ string, all []schemes.Scheme) (string, error) { return providersPage(all), nil },
}

// The marks around the names in the README.
const (
	beginMark = "<!-- BEGIN providers: written by make docs -->\n"
	endMark   = "<!-- END providers -->\n"
)

// readme replaces the names in the README.
func readme(old string, all []schemes.Scheme) (string, error) {
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
application's public key, ` + "`sendgrid`" + `'s the verification key that it shows,
` + "`telnyx`" + `'s the public key in base64.
` + "`standard`" + ` ([Standard Webhooks](https://www.standardwebhooks.com)) uses Ed25519
if the secret is a public key, ` + "`whpk_…`" + `. Write the secrets of McEasy and Airtable
in base64, as they show them. Write all other secrets as they are.

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

const linear = `
Linear has its send time in the body, and asks its users to reject what is older
than a minute. Write ` + "`tolerance 5m`" + ` to have it judged. Linear does not document
whether a retry has a new time: if it has the old one, a retry after more than
five minutes is rejected as ` + "`stale`" + `, and its event is lost.
`

const conflicts = `
## Conflicts

Only an occurrence ID that the provider documents as unique for each event decides
about new content; the others are information. Where delivered content comes again
under another ID or event type, [` + "`on_conflict`" + `](reference.md#conflicts) decides. Its
default is ` + "`reject`" + `, unless the provider sends such deliveries itself.
`

const defaults = `
## Other defaults

Deliveries of these schemes need another default than those of all others. The
start-up log names them; your own [options](reference.md#options) override them.
`

const sending = `
## What they do with an answer

Where a provider sends nothing again, an event is lost while your application is
down. These facts come from the providers' documentation and, where that is
silent, from reports of their users. "Not documented" means that neither says.
`

const contacts = `
## What they send first

Before its first delivery a provider may make sure that an endpoint is its user's.
Hooklatch answers that only with [` + "`handshake`" + `](handshakes.md); without it, what is
not signed is refused as any forgery is: GitHub's ` + "`ping`" + ` too, if no secret is
set there. Answer what these send yourself, before
` + "`verify_webhook`" + `: Intercom sends a HEAD request, WooCommerce a form with nothing but
` + "`webhook_id`" + `, Notion a JSON object with the ` + "`verification_token`" + ` that then is
the secret. All of them want a 200.

`

const witnesses = `
## What shows that they are right

No real delivery of any provider was at hand. Each scheme follows the provider's
own documentation, and is compared with what else could be had: a signature that
the provider has published, and the provider's own libraries. The versions below
are those of ` + "`e2e/official`" + ` and ` + "`e2e/go.mod`" + `, last run on 2026-11-28.
A test lets the libraries that sign make deliveries, which must be accepted, and
altered ones, which must be refused. The libraries that verify must say the same
of every one of them. Where no library signs, a test signs as the documentation
says, and the library that verifies says whether rightly.

The published signatures, and what is to be refused, are in
[` + "`schemes/testdata`" + `](../schemes/testdata), in a form that any implementation can
be tried with.
`

const compared = `
## Where Hooklatch and the libraries differ

A test changes deliveries at random, in their headers, the form of the secret, the
URL, the form and the body, and compares the verdicts: ` + "`make differential`" + `. They are
the same, except for these, which a provider does not send or which would let one
delivery pass for another.

Hooklatch refuses, and a library accepts:

`

const comparedToo = `
Hooklatch accepts, and a library refuses:

`

// stricter and laxer list the differences that e2e/differential_reasons_test.go
// names.
var stricter = []struct{ what, libraries, because string }{
	{"a signed header twice", "all", "Libraries take the first one, or both joined. The application could read the other one."},
	{"a signed header absent or empty", "sendgrid, discord", "The text `undefined` or nothing is then signed. No provider does that."},
	{"a time ahead of the clock", "most", "A time that is hours ahead would make a capture valid for as long."},
	{"an old time", "discord, sendgrid, zoom, paddle-go", "These leave the time to the application."},
	{"a time in another notation", "all", "A sign, a blank, a fraction or letters behind the digits: libraries sign the number that they have read, not what was sent, so that one signature fits many headers. A time in milliseconds where seconds are signed is never fresh."},
	{"a send time twice", "stripe", "Which one was signed, and which one is judged, could differ."},
	{"an entry with more after its signature", "standard, svix", "Entries are separated by blanks. A comma shows that a proxy has joined two headers."},
	{"an id with a dot, a blank or what is not ASCII", "standard, svix", "With a dot, text can move between id, time and body under one signature. The others cannot be passed on as a header."},
	{"a key of fewer than 16 or more than 128 bytes", "standard, svix", "The specification says 24 to 64. A shorter key can be guessed."},
	{"a secret without its whsec_", "standard, svix", "Other senders use such a text itself as the key: `key text` in a `scheme_definition`."},
	{"text in place of bytes", "all for Node", "They decode the body before they sign it, so that a byte order mark or a byte that is not UTF-8 can be changed."},
	{"JSON that is written anew", "zoom", "The library parses the body and writes it again. Hooklatch signs the bytes that were sent."},
	{"a signature in another spelling", "sendgrid, discord", "Padding, alphabet or text behind the signature: one signature would have many texts."},
	{"a brace in the URL", "square", "The body is signed directly behind the URL and begins with a brace, which alone shows where the URL ends."},
	{"bodySHA256 that does not end the URL", "twilio", "Elsewhere it can be a form's field that was moved there."},
	{"a form that no encoder writes", "twilio", "What could be JSON as well is not taken for a form."},
	{"a path with dot segments or backslashes", "twilio", "The library resolves them, and the application would get another path than the signed one. As received they are judged."},
	{"a query that is not UTF-8", "twilio", "The library replaces such bytes, so that many queries have one signature. As received it is judged."},
	{"a query whose names are numbers", "twilio", "JavaScript moves them to the front. As received the query is judged."},
	{"a caret in the path", "twilio", "The URL standard escapes it since 2024, and older versions of Node do not."},
	{"the provider's libraries differ", "stripe, twilio, paddle, sendgrid", "One of them decides as Hooklatch does."},
}

var laxer = []struct{ what, libraries, because string }{
	{"hexadecimal digits in capitals", "all", "They are the same bytes."},
	{"a shorter tolerance", "paddle (5 seconds), linear (1 minute)", "A delivery that waits in a queue is late, and no forgery. `tolerance` sets it."},
	{"a body that is empty or no JSON", "most", "They parse the body. What it means is the application's business."},
	{"Shopify's headers that are not signed", "shopify", "Their absence proves nothing."},
	{"a list with an entry that is no signature", "stripe, paddle-go", "Such an entry is passed over beside a good one."},
	{"a form field that is not UTF-8", "twilio", "Hooklatch signs its bytes, and the library a replacement."},
	{"a URL without a path", "square", "A URL is registered and signed without a path, and HTTP sends a slash."},
	{"a key as tools write it", "all", "White space around a key, PEM, and base64 in another alphabet stand for the same key."},
	{"a caret in the path", "twilio", "See above."},
	{"the provider's libraries differ", "stripe, twilio, paddle, sendgrid", "One of them decides as Hooklatch does. twilio-go knows fewer spellings of the URL, no list of values and no shared keys."},
}

// providersPage returns the text of docs/providers.md.
func providersPage(all []schemes.Scheme) string {
	var page strings.Builder
	signing := newTable("scheme", "signature header", "algorithm", "secret", "signed", "encoding", "send time", "id")
	telling := newTable("scheme", "event", "event's own time", "tenant", "environment", "event, not signed", "occurrence ID, not signed")
	conflict := newTable("scheme", "occurrence ID", "default of `on_conflict`", "because")
	other := newTable("scheme", "default", "because")
	answers := newTable("scheme", "deadline for the answer", "retries after a failure", "largest body", "reads the answer of")
	first := newTable("scheme", "what it sends first")
	known := newTable("scheme", "witness", "published signature", "library that signs", "library that verifies", "source", "note")
	for _, s := range all {
		d, w := s.Description(), s.Witness()
		signing.row(name(s), d.Signature, d.Algorithm, s.SecretForm(), signedText(s), d.Encoding, orNone(d.Time), orNone(d.ID))
		telling.row(name(s), orNone(d.Event), d.OccurredAt, d.Tenant, d.Environment, d.UnsignedEvent, d.OccurrenceID)
		if s.UniqueOccurrence() || s.OnConflict() != schemes.ConflictReject {
			conflict.row(name(s), uniqueness(s), "`"+s.OnConflict()+"`", d.Conflict)
		}
		if options := s.Defaults().Words(); len(options) > 0 {
			other.row(name(s), "`"+strings.Join(options, "`, `")+"`", s.Defaults().Reason)
		}
		if h := s.Handshake(); h != nil {
			first.row(name(s), h.Asks)
		} else if sent := s.Sending().First; sent != "" {
			first.row(name(s), sent)
		}
		deadline, retries, largestBody := s.Sending().Words()
		answers.row(name(s), deadline, retries, largestBody, orNone(s.Sending().ReadsAnswer))
		known.row(name(s), w.String(), orNone(w.Published), orNone(w.Signs), orNone(w.Verifies), s.Source(), w.Note)
	}
	refused, accepted := newTable("what", "library", "because"), newTable("what", "library", "because")
	for _, d := range stricter {
		refused.row(d.what, d.libraries, d.because)
	}
	for _, d := range laxer {
		accepted.row(d.what, d.libraries, d.because)
	}
	for _, part := range []string{
		introduction, signing.String(), secrets, facts, telling.String(), linear, conflicts, conflict.String(), defaults, other.String(), sending, answers.String(), contacts, first.String(), witnesses, known.String(),
		compared, refused.String(), comparedToo, accepted.String(),
	} {
		page.WriteString(part)
		if strings.HasSuffix(part, ".\n") {
			page.WriteString("\n")
		}
	}
	return page.String()
}

func name(s schemes.Scheme) string { return "`" + s.Name() + "`" }

// signedText formats a template as code, and leaves a description in words
// unchanged.
func signedText(s schemes.Scheme) string {
	if strings.ContainsAny(s.SignedBytes(), "{|") {
		return "`" + s.SignedBytes() + "`"
	}
	return s.SignedBytes()
}

func uniqueness(s schemes.Scheme) string {
	switch {
	case s.UniqueOccurrence():
		return "unique for each event"
	case s.Description().OccurrenceID == "":
		return "none"
	}
	return "information"
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// join lists the texts that are not empty.
func join(texts ...string) string {
	var list []string
	for _, text := range texts {
		if text != "" {
			list = append(list, text)
		}
	}
	return strings.Join(list, ", ")
}

// table is a Markdown table.
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
