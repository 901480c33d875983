package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hooklatch/hooklatch/schemes/schemestest"
)

// maker makes the vectors of one scheme.
type maker struct {
	input
	signer  *signer
	vectors []schemestest.Vector
	err     error // the first error

	own, other, third secret // third signs nothing
}

// secret is a secret as a user configures it, with the key that signs.
type secret struct {
	text    string
	key     []byte // for an HMAC
	private string // for a public key
}

// delivery holds the values that are signed, and sent unless a vector changes
// them.
type delivery struct {
	time, id, url, body string
	by                  secret
}

// The reasons of refusals.
const (
	missingSignature         = "missing_signature"
	malformedSignature       = "malformed_signature"
	missingSigned            = "missing_signed_header"
	malformedSigned          = "malformed_signed_header"
	mismatch                 = "signature_mismatch"
	placeSignature           = "{signature}"
	placeTime                = "{timestamp}"
	placeID                  = "{id}"
	day                int64 = 24 * 60 * 60
)

func (m *maker) public() bool { return !strings.HasPrefix(m.Algorithm, "hmac-") }

func (m *maker) timeInBody() bool { return strings.Contains(m.Body, placeTime) }

func (m *maker) make() error {
	if m.Scheme == "" || m.header(placeSignature) < 0 {
		return errors.New("a scheme needs a name, and a header with {signature}")
	}
	for _, variable := range regexp.MustCompile(`\{[^{}]*\}`).FindAllString(m.Signed, -1) {
		if !slices.Contains([]string{placeTime, placeID, "{url}", "{body}"}, variable) {
			return fmt.Errorf("signed: %s is not known here; write these vectors by hand", variable)
		}
	}
	if err := m.makeSecrets(); err != nil {
		return err
	}
	m.valid()
	m.changed()
	m.headersOf()
	m.spelled()
	m.confused()
	m.timed()
	m.list()
	m.recut()
	return m.err
}

// makeSecrets generates the secrets that the input does not give.
func (m *maker) makeSecrets() error {
	if !m.public() {
		m.own = m.hmacSecret("hooklatch suite, own")
		m.other = m.hmacSecret("hooklatch suite, oth")
		m.third = m.hmacSecret("hooklatch suite, 3rd")
		if m.Secret == "" {
			return nil
		}
		var err error
		m.own.text = m.Secret
		m.own.key, err = m.keyOf(m.Secret)
		return err
	}
	for _, s := range []*secret{&m.own, &m.other, &m.third} {
		r, err := m.signer.ask(question{Op: "pair", Algorithm: m.Algorithm, Form: m.Key})
		if err != nil {
			return err
		}
		s.text, s.private = r.Public, r.Private
	}
	return nil
}

// hmacSecret writes a key of 24 bytes in the scheme's form.
func (m *maker) hmacSecret(text string) secret {
	key := []byte(text + " key")
	written := base64.StdEncoding.EncodeToString(key)
	switch m.Key {
	case "text":
		written = string(key)
	case "hex":
		written = hex.EncodeToString(key)
	case "whsec_":
		written = "whsec_" + written
	}
	return secret{text: written, key: key}
}

func (m *maker) keyOf(text string) ([]byte, error) {
	switch m.Key {
	case "text":
		return []byte(text), nil
	case "hex":
		return hex.DecodeString(text)
	case "base64", "whsec_":
		return base64.StdEncoding.DecodeString(strings.TrimPrefix(text, "whsec_"))
	}
	return nil, fmt.Errorf("key: %s is not known here; write text, base64, hex or whsec_", m.Key)
}

// at writes a time as the provider does.
func (m *maker) at(seconds int64) string {
	if m.Unit == "ms" {
		seconds *= 1000
	}
	return strconv.FormatInt(seconds, 10)
}

// honest returns a delivery at a time, with the body of the input.
func (m *maker) honest(seconds int64) delivery {
	at := m.at(seconds)
	return delivery{time: at, id: m.ID, url: m.URL, body: strings.ReplaceAll(m.Body, placeTime, at), by: m.own}
}

// text returns the signed text of a delivery.
func (m *maker) text(d delivery) string {
	return strings.NewReplacer(placeTime, d.time, placeID, d.id, "{url}", d.url, "{body}", d.body).Replace(m.Signed)
}

func (m *maker) ask(q question) []byte {
	r, err := m.signer.ask(q)
	m.err = errors.Join(m.err, err)
	return r.Signature
}

// sign signs a delivery.
func (m *maker) sign(d delivery) []byte {
	return m.ask(question{Op: "sign", Algorithm: m.Algorithm, Key: d.by.key, Private: d.by.private, Text: []byte(m.text(d))})
}

func encoded(encoding string, signature []byte) string {
	switch encoding {
	case "base64":
		return base64.StdEncoding.EncodeToString(signature)
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(signature)
	}
	return hex.EncodeToString(signature)
}

// header returns the position of the header that contains a placeholder, or -1.
func (m *maker) header(place string) int {
	return slices.IndexFunc(m.Headers, func(h [2]string) bool { return strings.Contains(h[1], place) })
}

// send returns the headers of a delivery with an encoded signature.
func (m *maker) send(d delivery, signature string) [][2]string {
	headers := [][2]string{{"Content-Type", "application/json"}}
	values := strings.NewReplacer(placeTime, d.time, placeID, d.id, placeSignature, signature)
	for _, h := range m.Headers {
		headers = append(headers, [2]string{h[0], values.Replace(h[1])})
	}
	return append(headers, m.Unsigned...)
}

// signed returns the headers of a correctly signed delivery.
func (m *maker) signed(d delivery) [][2]string {
	return m.send(d, encoded(m.Encoding, m.sign(d)))
}

// add adds a vector. An empty reason means that the delivery is accepted.
func (m *maker) add(kind schemestest.Kind, name string, d delivery, headers [][2]string, reason, why string) *schemestest.Vector {
	v := schemestest.Vector{
		Scheme: m.Scheme, Name: name, Kind: kind, Secrets: []string{m.own.text}, Method: "POST", Headers: headers,
		Body: []byte(d.body), At: m.Time * 1000, Expect: schemestest.Accept, Level: schemestest.Must, Reason: reason, Why: why,
	}
	if strings.Contains(m.Signed, "{url}") {
		v.URL = d.url
	}
	if reason != "" {
		v.Expect = schemestest.Reject
	}
	m.vectors = append(m.vectors, v)
	return &m.vectors[len(m.vectors)-1]
}

func (m *maker) valid() {
	d := m.honest(m.Time)
	headers := m.signed(d)
	m.add(schemestest.Valid, "valid-basic", d, headers, "", "signed for this suite")
	lower := slices.Clone(headers)
	for i := range lower {
		lower[i][0] = strings.ToLower(lower[i][0])
	}
	m.add(schemestest.Valid, "valid-lowercase", d, lower, "", "header names are case-insensitive")
	second := m.add(schemestest.Valid, "valid-second-secret", d, headers, "", "any configured secret may match: one of them is being replaced")
	second.Secrets = []string{m.third.text, m.own.text}
	d.body = "{\"n\":\"17\xff\xfe\xc3(\x00\"}\r\n"
	m.add(schemestest.Valid, "valid-bytes", d, m.signed(d), "", "not UTF-8, with a NUL and a line end: bytes are signed, not text")
}

// changed adds deliveries with a changed signed value.
func (m *maker) changed() {
	d := m.honest(m.Time)
	headers := m.signed(d)
	tamper := func(name, why string, change func(*delivery)) {
		changed := d
		change(&changed)
		m.add(schemestest.Tampered, name, changed, headers, mismatch, why)
	}
	tamper("tampered-body", "one character added within the body", func(c *delivery) { c.body = c.body[:len(c.body)-1] + " }" })
	tamper("body-plus-newline", "a line end after the body", func(c *delivery) { c.body += "\n" })
	if strings.Contains(m.Signed, "{url}") {
		tamper("tampered-url", "another query", func(c *delivery) { c.url += "&more=1" })
	}
	another := d
	another.body = `{"other":"delivery"}`
	m.add(schemestest.Tampered, "other-delivery", d, m.signed(another), mismatch, "the signature of another delivery")
	if strings.Contains(m.Signed, placeID) {
		other := d
		other.id += "8"
		m.add(schemestest.Tampered, "tampered-id", d, m.send(other, encoded(m.Encoding, m.sign(d))), mismatch, "another id")
	}
	if strings.Contains(m.Signed, placeTime) {
		m.add(schemestest.Tampered, "refreshed", d, m.send(d, encoded(m.Encoding, m.sign(m.honest(m.Time-day)))), mismatch,
			"a day old, and another time written over the one that was signed")
	}
	wrong := d
	wrong.by = m.other
	m.add(schemestest.WrongSecret, "wrong-secret", d, m.signed(wrong), mismatch, "made with another secret")
	for i, h := range m.Unsigned {
		other := slices.Clone(headers)
		other[1+len(m.Headers)+i][1] = h[1] + "x"
		m.add(schemestest.Unsigned, "changed-"+strings.ToLower(h[0]), d, other, "", "the header is not signed: it must not be presented as authentic")
	}
}

// headersOf adds deliveries with a missing or repeated header.
func (m *maker) headersOf() {
	d := m.honest(m.Time)
	headers := m.signed(d)
	for i, h := range m.Headers {
		missing, malformed := missingSigned, malformedSigned
		if i == m.header(placeSignature) {
			missing, malformed = missingSignature, malformedSignature
		}
		name, at := strings.ToLower(h[0]), i+1
		m.add(schemestest.Missing, "missing-"+name, d, slices.Delete(slices.Clone(headers), at, at+1), missing, "the header is not there")
		empty := slices.Clone(headers)
		empty[at][1] = ""
		m.add(schemestest.Empty, "empty-"+name, d, empty, missing, "the header is there and empty")
		twice := slices.Insert(slices.Clone(headers), at, headers[at])
		m.add(schemestest.Repeated, "two-"+name, d, twice, malformed, "the header is repeated: other hops may read the other one")
	}
}

// spelled adds signatures that are written in another way.
func (m *maker) spelled() {
	d := m.honest(m.Time)
	signature := m.sign(d)
	good := encoded(m.Encoding, signature)
	refuse := func(kind schemestest.Kind, name, text, reason, why string) {
		m.add(kind, name, d, m.send(d, text), reason, why)
	}
	half := malformedSignature
	if m.Algorithm == "ecdsa-p256" {
		half = mismatch // the signatures have no fixed length
	} else {
		refuse(schemestest.Grammar, "longer", encoded(m.Encoding, append(slices.Clone(signature), 0)), malformedSignature, "one byte after the signature")
	}
	refuse(schemestest.Truncated, "truncated", encoded(m.Encoding, signature[:len(signature)/2]), half, "half of the signature: must not compare only a prefix")
	refuse(schemestest.Grammar, "garbage", strings.Repeat("!", len(good)), malformedSignature, "no "+m.Encoding+" at all")
	if m.Encoding == "hex" {
		refuse(schemestest.Encoding, "base64-not-hex", encoded("base64", signature), malformedSignature, "the right signature in base64")
		m.add(schemestest.Encoding, "uppercase-hex", d, m.send(d, strings.ToUpper(good)), "", "hex digits of either case are the same bytes").Level = schemestest.Policy
	} else {
		refuse(schemestest.Encoding, "hex-not-base64", encoded("hex", signature), malformedSignature, "the right signature in hex")
	}
	at := m.header(placeSignature)
	named := regexp.MustCompile(`[^\s,;]+[=,:]\{signature\}|[^\s,;]*[=,:]?\{signature\}`).FindString(m.Headers[at][1])
	if named == placeSignature {
		refuse(schemestest.Downgrade, "prefix-sha256", "sha256="+good, malformedSignature, "not the documented form")
	} else {
		bare := m.send(d, good)
		bare[1+at][1] = strings.Replace(bare[1+at][1], strings.Replace(named, placeSignature, good, 1), good, 1)
		m.add(schemestest.Downgrade, "no-version", d, bare, malformedSignature, "the version or the algorithm is left out")
	}
}

// confused adds signatures of another kind.
func (m *maker) confused() {
	d := m.honest(m.Time)
	text := []byte(m.text(d))
	if m.public() {
		mac := m.ask(question{Op: "sign", Algorithm: "hmac-sha512", Key: []byte(d.by.text), Text: text})
		m.add(schemestest.Confusion, "hmac-with-public-key", d, m.send(d, encoded(m.Encoding, mac)), mismatch,
			"ATTACK: an HMAC whose secret is the public key, which everybody knows")
		return
	}
	plain := m.ask(question{Op: "hash", Algorithm: m.Algorithm, Text: append(slices.Clone(d.by.key), text...)})
	m.add(schemestest.Confusion, "plain-digest", d, m.send(d, encoded(m.Encoding, plain)), mismatch, "a digest of secret and text is not HMAC")
	other := "hmac-sha512"
	if m.Algorithm == other {
		other = "hmac-sha256"
	}
	mac := m.ask(question{Op: "sign", Algorithm: other, Key: d.by.key, Text: text})
	m.add(schemestest.Confusion, other, d, m.send(d, encoded(m.Encoding, mac)), malformedSignature, "another hash")
}

// timed adds authentic deliveries at a wrong time.
func (m *maker) timed() {
	if !m.timeInBody() && !strings.Contains(m.Signed, placeTime) {
		return
	}
	tolerance := ""
	if m.timeInBody() {
		tolerance = "5m"
		none := m.honest(m.Time)
		none.body = "{}"
		m.add(schemestest.NoTime, "no-time", none, m.signed(none), "no_signed_time", "a time is to be judged, and the body has none").Tolerance = tolerance
	}
	for _, c := range []struct {
		kind         schemestest.Kind
		name, reason string
		after        int64
		why          string
	}{
		{schemestest.Valid, "valid-3-minutes", "", -180, "three minutes old is fresh"},
		{schemestest.Stale, "stale-30-days", "stale", -30 * day, "rightly signed 30 days ago"},
		{schemestest.Future, "future-1-day", "future", day, "rightly signed, a day ahead"},
	} {
		d := m.honest(m.Time + c.after)
		m.add(c.kind, c.name, d, m.signed(d), c.reason, c.why).Tolerance = tolerance
	}
	if m.timeInBody() {
		return
	}
	for _, bad := range [][2]string{{"plus", "+" + m.at(m.Time)}, {"hex", "0x68e77d00"}} {
		d := m.honest(m.Time)
		d.time = bad[1]
		m.add(schemestest.Grammar, "bad-time-"+bad[0], d, m.signed(d), m.malformed(placeTime), "rightly signed, and the time is no number")
	}
}

// malformed returns the reason for a value that does not follow its grammar. It
// depends on the header that contains the value.
func (m *maker) malformed(place string) string {
	if m.header(place) == m.header(placeSignature) {
		return malformedSignature
	}
	return malformedSigned
}

// list adds lists of signatures.
func (m *maker) list() {
	if m.Separator == "" {
		return
	}
	d := m.honest(m.Time)
	wrong := d
	wrong.by = m.other
	entries := strings.Split(m.Headers[m.header(placeSignature)][1], m.Separator)
	entry := entries[slices.IndexFunc(entries, func(e string) bool { return strings.Contains(e, placeSignature) })]
	good, bad := encoded(m.Encoding, m.sign(d)), encoded(m.Encoding, m.sign(wrong))
	next := func(signature string) string {
		return m.Separator + strings.Replace(entry, placeSignature, signature, 1)
	}
	m.add(schemestest.List, "list-good-first", d, m.send(d, good+next(bad)), "", "any one of several signatures may match: a secret is being replaced")
	m.add(schemestest.List, "list-good-last", d, m.send(d, bad+next(good)), "", "the same in the other order")
	unknown := m.Separator + "x9" + strings.TrimLeft(strings.Replace(entry, placeSignature, "rubbish", 1), letters)
	m.add(schemestest.List, "list-unknown-entry", d, m.send(d, good+unknown), "", "an entry of another name is passed over")
}

// letters are the characters that the name of an entry may contain.
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

// recut adds deliveries whose signed text is that of another one.
func (m *maker) recut() {
	before, _, _ := strings.Cut(m.Signed, "{body}")
	open, end := strings.LastIndexByte(before, '{'), strings.LastIndexByte(before, '}')
	if open < 0 {
		return
	}
	d := m.honest(m.Time)
	moved := before[end+1:] + "1"
	whole := d
	switch place := before[open : end+1]; place {
	case "{url}":
		moved = before[end+1:] + d.body[:1]
		whole.body, d.body = d.body, d.body[1:]
		d.url += moved
		m.add(schemestest.Recut, "recut-into-url", d, m.signed(whole), malformedSigned, "the beginning of the body moved into the URL: the signed text is the same")
	default:
		whole.body = "1" + before[end+1:] + d.body
		if before[end+1:] == "" {
			whole.body = "1" + d.body
		}
		if place == placeTime {
			d.time += moved
		} else {
			d.id += moved
		}
		m.add(schemestest.Recut, "recut-into-"+strings.Trim(place, "{}"), d, m.send(d, encoded(m.Encoding, m.sign(whole))), m.malformed(place),
			"the beginning of the body moved into the value before it: the signed text is the same")
	}
}
