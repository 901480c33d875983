package explain

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// keyKind says for which schemes a row's keys are.
type keyKind bool

const (
	keyIsText    keyKind = true // the key is the text of the secret
	keyIsDecoded keyKind = false
)

// keyTry is a key that a secret may have been meant for, with the findings that
// say so.
type keyTry struct {
	key      schemes.Key
	findings []Finding
}

// keyScope says which rows for secrets are tried together.
type keyScope int

const (
	noKeys keyScope = iota
	fromTexts
	fromAll
)

// keysFor returns the rows to try together when the search reaches a row. It is
// all rows, except that with a definition the rows for the text of a secret
// come before the search for a definition, and the others after it.
func (s *search) keysFor(r *row) keyScope {
	if s.Definition != nil && r.text != nil {
		return fromTexts
	}
	return fromAll
}

// otherKeys looks for a key that verifies a candidate. One verifier tries
// several keys at once, in batches that are small enough for the context to end
// the search.
func (s *search) otherKeys(c candidate, scope keyScope) []Finding {
	made := &s.keysMade[scope-1]
	if *made == nil {
		*made = s.keys(scope)
	}
	for tries := range slices.Chunk(*made, max(1, maxBatch/(len(c.body)+1))) {
		s.left -= len(tries) * len(c.body)
		if s.spend(0); s.stopped() {
			return nil
		}
		// Each key is registered as a secret, so that the verifier returns the
		// position of the one that matches.
		trying := engine.Derive(c.scheme, func(i *engine.Implementation) {
			i.Keys = func(at string) ([]schemes.Key, error) {
				n, err := strconv.Atoi(at)
				return []schemes.Key{tries[n].key}, err
			}
		})
		positions := make([]string, len(tries))
		for i := range tries {
			positions[i] = strconv.Itoa(i)
		}
		v, err := trying.NewVerifier(positions)
		if err != nil {
			continue
		}
		if n := match(v, c.request, c.body); n > 0 {
			for _, f := range tries[n-1].findings {
				c.found = append(slices.Clip(c.found), undone{inSecret, f})
			}
			return c.findings()
		}
	}
	return nil
}

// keys returns the keys to try in place of the configured ones. There are none
// for public keys: a mistake in one is found when it is read.
func (s *search) keys(scope keyScope) []keyTry {
	all := []keyTry{}
	for i, secret := range s.Secrets {
		own, err := s.Scheme.Keys(secret)
		if err != nil || len(own) == 0 || own[0].Public != nil {
			continue
		}
		at := ""
		if len(s.Secrets) > 1 {
			at = fmt.Sprintf("secret %d: ", i+1)
		}
		all = append(all, s.keysOf(secret, own, at, scope)...)
	}
	return all
}

// keysOf reads one secret in other ways: first with its text changed, then with
// its decoding changed, then with both.
func (s *search) keysOf(secret string, own []schemes.Key, at string, scope keyScope) (tries []keyTry) {
	seen := [][]byte{}
	for i := range own {
		seen = append(seen, own[i].Secret)
	}
	add := func(key []byte, found ...Finding) {
		known := func(other []byte) bool { return bytes.Equal(other, key) }
		if len(bytes.TrimSpace(bytes.Trim(key, "\x00"))) == 0 || slices.ContainsFunc(seen, known) {
			return
		}
		seen = append(seen, key)
		k := own[0]
		k.Secret = key
		found[0].What = at + found[0].What
		tries = append(tries, keyTry{k, found})
	}
	isText := keyKind(bytes.Equal(own[0].Secret, []byte(secret)))
	rows := s.rows
	if scope == fromTexts {
		rows = slices.DeleteFunc(slices.Clone(rows), func(r row) bool { return r.key != nil })
	}
	readings(rows, secret, isText, func(key []byte, f Finding) { add(key, f) })
	texts(rows, secret, func(text string, f Finding) {
		if keys, err := s.Scheme.Keys(text); err == nil {
			for i := range keys {
				add(keys[i].Secret, f)
			}
		}
		readings(rows, text, isText, func(key []byte, reading Finding) { add(key, f, reading) })
	})
	return tries
}

// texts yields other texts that a secret may have been meant to be.
func texts(rows []row, secret string, yield func(text string, f Finding)) {
	for _, r := range rows {
		if r.text != nil {
			r.text(secret, func(text string) {
				if text != secret && text != "" {
					yield(text, Finding{r.what, r.do})
				}
			})
		}
	}
}

// readings yields the keys that the text of a secret can stand for.
func readings(rows []row, secret string, isText keyKind, yield func(key []byte, f Finding)) {
	for _, r := range rows {
		if r.key != nil && r.keys == isText {
			r.key(secret, func(key []byte) { yield(key, Finding{r.what, r.do}) })
		}
	}
}

// whsec is the prefix of the secrets of Standard Webhooks and Stripe.
const whsec = "whsec_"

// trim removes a byte order mark and white space, which editors can put around
// a secret.
func trim(secret string) string { return strings.TrimSpace(strings.TrimPrefix(secret, byteOrderMark)) }

func trimmedSecret(secret string, yield func(string)) { yield(trim(secret)) }

func unquotedSecret(secret string, yield func(string)) {
	text := trim(secret)
	if n := len(text); n > 1 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
		yield(strings.TrimSpace(text[1 : n-1]))
	}
}

func withoutWhsec(secret string, yield func(string)) {
	if bare, ok := strings.CutPrefix(trim(secret), whsec); ok {
		yield(bare)
	}
}

func withWhsec(secret string, yield func(string)) {
	if text := trim(secret); !strings.HasPrefix(text, whsec) {
		yield(whsec + text)
	}
}

func secretWithLineEnd(secret string, yield func(string)) {
	yield(secret + "\n")
	yield(secret + "\r\n")
}

func secretInQuotes(secret string, yield func(string)) {
	yield(`"` + trim(secret) + `"`)
	yield("'" + trim(secret) + "'")
}

func percentDecodedSecret(secret string, yield func(string)) {
	if text, err := url.PathUnescape(secret); err == nil {
		yield(text)
	}
}

func secretInOtherCase(secret string, yield func(string)) {
	yield(strings.ToLower(secret))
	yield(strings.ToUpper(secret))
}

func textOfSecret(secret string, yield func([]byte)) {
	yield([]byte(secret))
	yield([]byte(strings.TrimPrefix(secret, whsec)))
}

func base64Key(secret string, yield func([]byte)) {
	for _, enc := range base64s {
		if key, err := enc.DecodeString(strings.TrimPrefix(secret, whsec)); err == nil {
			yield(key)
		}
	}
}

func hexKey(secret string, yield func([]byte)) {
	if key, err := hex.DecodeString(strings.TrimPrefix(secret, whsec)); err == nil {
		yield(key)
	}
}

// UnreadableSecret says what is wrong with a secret that the scheme cannot
// read, if another reading works. The error is that of NewVerifier.
func (d *Delivery) UnreadableSecret(err error) []Finding {
	wrong, ok := errors.AsType[*schemes.SecretError](err)
	if !ok || wrong.Position < 1 || wrong.Position > len(d.Secrets) {
		return nil
	}
	if d.Definition != nil {
		return d.otherKeyForms()
	}
	var found []Finding
	texts(table, d.Secrets[wrong.Position-1], func(text string, f Finding) {
		if _, err := d.Scheme.NewVerifier([]string{text}); found == nil && err == nil {
			found = []Finding{f}
		}
	})
	if token := d.Scheme.TokenHeader(); found == nil && token != "" {
		found = []Finding{{
			"the secret of " + token + " is another one, which is sent as it is and signs nothing",
			"give the provider's webhook a secret that signs, and write that one here",
		}}
	}
	return found
}
