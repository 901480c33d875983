package explain

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// keyTry is a key that a secret could have been meant to be.
type keyTry struct {
	key      schemes.Key
	findings []Finding
}

type keyTries []keyTry

// match finds the key that verifies a delivery.
func (tries keyTries) match(scheme *schemes.Scheme, r schemes.Request, body []byte) *keyTry {
	if len(tries) == 0 {
		return nil
	}
	// Each key stands for a secret, so that the verifier says which matches.
	trying := *scheme
	trying.Keys = func(at string) ([]schemes.Key, error) {
		n, err := strconv.Atoi(at)
		return []schemes.Key{tries[n].key}, err
	}
	positions := make([]string, len(tries))
	for i := range tries {
		positions[i] = strconv.Itoa(i)
	}
	v, err := trying.NewVerifier(positions...)
	if err != nil {
		return nil
	}
	if n := match(v, r, body); n > 0 {
		return &tries[n-1]
	}
	return nil
}

// keys are the keys to try in place of the configured ones. There are none for
// public keys: a mistake in how those are written shows when they are read.
func (d *Delivery) keys() keyTries {
	var tries keyTries
	for i, secret := range d.Secrets {
		own, err := d.Scheme.Keys(secret)
		if err != nil || len(own) == 0 || own[0].Public != nil {
			continue
		}
		at := ""
		if len(d.Secrets) > 1 {
			at = fmt.Sprintf("secret %d: ", i+1)
		}
		tries = append(tries, keysOf(d.Scheme, secret, own, at)...)
	}
	return tries
}

// keysOf reads one secret in other ways: its text changed, what it stands for
// changed, then both.
func keysOf(scheme *schemes.Scheme, secret string, own []schemes.Key, at string) keyTries {
	var tries keyTries
	seen := [][]byte{}
	for i := range own {
		seen = append(seen, own[i].Secret)
	}
	add := func(key []byte, found ...Finding) {
		known := func(other []byte) bool { return bytes.Equal(other, key) }
		if len(key) == 0 || slices.ContainsFunc(seen, known) {
			return
		}
		seen = append(seen, key)
		k := own[0]
		k.Secret = key
		found = slices.Clone(found)
		found[0].What = at + found[0].What
		tries = append(tries, keyTry{k, found})
	}
	isText := bytes.Equal(own[0].Secret, []byte(secret))
	for _, r := range readings(secret, isText) {
		add(r.key, r.finding)
	}
	for _, t := range texts(secret) {
		if keys, err := scheme.Keys(t.text); err == nil {
			for i := range keys {
				add(keys[i].Secret, t.finding)
			}
		}
		for _, r := range readings(t.text, isText) {
			add(r.key, t.finding, r.finding)
		}
	}
	return tries
}

// whsec is what the secrets of Standard Webhooks and of Stripe begin with.
const whsec = "whsec_"

type textTry struct {
	text    string
	finding Finding
}

// texts are other texts that a secret could have been meant to be.
func texts(secret string) []textTry {
	var tries []textTry
	add := func(text, what, do string) {
		if text != secret && text != "" {
			tries = append(tries, textTry{text, Finding{what, do}})
		}
	}
	trimmed := strings.TrimSpace(secret)
	add(trimmed, "the secret has blanks or line ends around it",
		"write it without them; only one line end at the end of a file is taken off")
	if n := len(trimmed); n > 1 && (trimmed[0] == '"' || trimmed[0] == '\'') && trimmed[n-1] == trimmed[0] {
		add(strings.TrimSpace(trimmed[1:n-1]), "the secret has quotes around it", "write it without the quotes")
	}
	if bare, ok := strings.CutPrefix(trimmed, whsec); ok {
		add(bare, "the sender's key is the secret without the whsec_ in front of it",
			"sign with the whole secret, or write it without whsec_ if the provider says so")
	} else {
		add(whsec+trimmed, "the secret lacks the whsec_ in front of it", "write the whole secret, as the provider shows it")
	}
	for _, end := range []string{"\n", "\r\n"} {
		add(secret+end, "the sender's secret has a line end behind it",
			"take it out of the sender's secret; until then configure a file with one more line end, of which one is taken off")
	}
	for _, quote := range []string{`"`, "'"} {
		add(quote+trimmed+quote, "the sender's secret has quotes around it",
			"take them out of the sender's secret; until then write them into the configured one, within quotes of the other kind")
	}
	return tries
}

type readingTry struct {
	key     []byte
	finding Finding
}

// readings are the keys that the text of a secret can stand for. Those that are
// the scheme's own reading of it are left out by who asks.
func readings(secret string, isText bool) []readingTry {
	var tries []readingTry
	bare := strings.TrimPrefix(secret, whsec)
	add := func(key []byte, encoding, command string) {
		f := Finding{
			"the sender decodes the secret from " + encoding + " before it signs, and this scheme's key is its text",
			"have the sender sign with the text, or configure what it decodes to: {file.PATH} of a file that `" + command + "` writes",
		}
		if !isText {
			f = Finding{
				"the sender decodes the secret from " + encoding + ", and this scheme decodes it otherwise",
				"have the sender decode it as this scheme does, or write a scheme_definition with key " + encoding,
			}
		}
		tries = append(tries, readingTry{key, f})
	}
	if !isText {
		const what, do = "the sender signs with the text of the secret, and this scheme's key is what it decodes to",
			"have the sender decode the secret, or write a scheme_definition with key text"
		tries = append(tries, readingTry{[]byte(secret), Finding{what, do}},
			readingTry{[]byte(bare), Finding{what + "; it leaves out whsec_ too", do}})
	}
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if key, err := enc.DecodeString(bare); err == nil {
			add(key, "base64", "base64 -d")
		}
	}
	if key, err := hex.DecodeString(bare); err == nil {
		add(key, "hex", "xxd -r -p")
	}
	return tries
}

// Unreadable says what is wrong with a secret that the scheme cannot read, if
// it could be read otherwise.
func (d *Delivery) Unreadable(err error) []Finding {
	wrong, ok := errors.AsType[*schemes.SecretError](err)
	if !ok || wrong.Position > len(d.Secrets) {
		return nil
	}
	if d.Definition != nil {
		return d.otherKeyForms()
	}
	for _, t := range texts(d.Secrets[wrong.Position-1]) {
		if _, err := d.Scheme.NewVerifier(t.text); err == nil {
			return []Finding{t.finding}
		}
	}
	return nil
}
