// Command make writes the vectors of a new scheme. It reads a short description
// of how the provider signs, which is written from the provider's documentation
// rather than from our definition. It signs with Node's crypto:
//
//	go run ./schemes/schemestest/make < acme.json > schemes/testdata/acme.json
//
// where acme.json is, for instance
//
//	{
//	  "scheme": "acme",
//	  "signed": "{timestamp}.{body}",
//	  "headers": [["X-Acme-Signature", "t={timestamp},v1={signature}"]],
//	  "separator": ",",
//	  "unsigned": [["X-Acme-Event", "order.created"]]
//	}
//
// The vectors cover every kind that a scheme of this form needs. Add a
// signature that the provider has published by hand.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"regexp"

	"github.com/hooklatch/hooklatch/schemes/schemestest"
)

func main() {
	log.SetFlags(0)
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	s, err := startSigner()
	if err != nil {
		log.Fatal(err)
	}
	vectors, err := vectorsOf(s, text)
	if err := errors.Join(err, s.close()); err != nil {
		log.Fatal(err)
	}
	if err := write(os.Stdout, vectors); err != nil {
		log.Fatal(err)
	}
}

// input describes how a provider signs.
type input struct {
	Scheme string `json:"scheme"`

	// Algorithm and Key are written as in a definition. Default: hmac-sha256
	// and text. Secret is written as Key says. It is empty for a public key:
	// keys are then generated.
	Algorithm string `json:"algorithm"`
	Key       string `json:"key"`
	Secret    string `json:"secret"`

	// Signed may contain {timestamp}, {id}, {url} and {body}. Default: {body}.
	Signed string `json:"signed"`
	// Headers may contain {signature}, {timestamp} and {id}.
	Headers [][2]string `json:"headers"`
	// Encoding is the encoding of the signature: hex, base64 or base64url.
	// Default: hex.
	Encoding string `json:"encoding"`
	// Separator separates signatures, if a header may contain several.
	Separator string `json:"separator"`
	// Unsigned are headers that are sent and not signed.
	Unsigned [][2]string `json:"unsigned"`

	// Body may contain {timestamp}. URL and ID are as they are sent.
	Body string `json:"body"`
	URL  string `json:"url"`
	ID   string `json:"id"`
	// Time is the verifier's clock in Unix seconds. Unit says how a time is
	// written: s or ms. Default: s.
	Time int64  `json:"time"`
	Unit string `json:"unit"`
}

// vectorsOf makes the vectors of an input.
func vectorsOf(s *signer, text []byte) ([]schemestest.Vector, error) {
	in := input{
		Algorithm: "hmac-sha256", Key: "text", Signed: "{body}", Encoding: "hex", Unit: "s", ID: "msg_17", Time: 1760000000,
		Body: `{"event":"order.created","data":{"id":"n17","name":"Zoë 😀"}}`,
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, fmt.Errorf("reading how the provider signs: %w", err)
	}
	m := &maker{input: in, signer: s}
	if err := m.make(); err != nil {
		return nil, err
	}
	return m.vectors, nil
}

// write writes the vectors in the format of the committed ones, with each
// header on one line.
func write(w io.Writer, vectors []schemestest.Vector) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(vectors); err != nil {
		return err
	}
	_, err := w.Write(short.ReplaceAllFunc(text.Bytes(), func(list []byte) []byte {
		return lineBreak.ReplaceAll(bytes.ReplaceAll(list, []byte("\",\n"), []byte("\", \n")), nil)
	}))
	return err
}

// short matches a list of one or two strings, as encoding/json indents it. A
// JSON string contains no line break.
var (
	short     = regexp.MustCompile(`\[\n\s+".*"(,\n\s+".*")?\n\s+\]`)
	lineBreak = regexp.MustCompile(`\n\s+`)
)
