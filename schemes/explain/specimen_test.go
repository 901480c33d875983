package explain

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// specimen is a scheme with the values that its deliveries need. They are found
// by trying, so that a new scheme needs no changes here.
type specimen struct {
	scheme    schemes.Scheme
	signing   string // the secret that signs
	secret    string // the secret that verifies: the same, unless keys are public
	event, id string
	text      string // a body that it signs
	public    bool
}

var (
	noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

	request = schemes.Request{Method: "POST", Scheme: "https", Host: "hooks.example.com", URI: "/in?a=b"}

	// rawKey is long enough for every scheme, as bytes and in base64.
	rawKey = []byte("\xff\xfe is a key of 30 bytes ....")
)

const (
	body = `{"b":"é/<x>","a":[1,2.50,{},"😀"],"event_id":4}`
	form = "b=1&a=2"
)

// textsOf returns the ways to write the key of an HMAC.
func textsOf(raw []byte) []string {
	b64 := base64.StdEncoding.EncodeToString(raw)
	return []string{whsec + b64, b64, hex.EncodeToString(raw), string(raw)}
}

// secretsOf returns the ways in which schemes write a key: pairs of the secret
// that signs and the secret that verifies.
func secretsOf(t *testing.T, raw []byte) [][2]string {
	b64 := base64.StdEncoding.EncodeToString
	all := [][2]string{}
	for _, s := range textsOf(raw) {
		all = append(all, [2]string{s, s})
	}
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	edPrivate := ed25519.NewKeyFromSeed(seed)
	edPublic := edPrivate.Public().(ed25519.PublicKey)
	all = append(all, [2]string{hex.EncodeToString(seed), hex.EncodeToString(edPublic)},
		[2]string{b64(seed), b64(edPublic)}, [2]string{"whsk_" + b64(seed), "whpk_" + b64(edPublic)})
	ecPrivate, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]any{{edPrivate, edPublic}, {ecPrivate, &ecPrivate.PublicKey}} {
		private, err1 := x509.MarshalPKCS8PrivateKey(pair[0])
		public, err2 := x509.MarshalPKIXPublicKey(pair[1])
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		text := func(kind string, der []byte) string {
			return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
		}
		all = append(all, [2]string{b64(private), b64(public)}, [2]string{text("PRIVATE KEY", private), text("PUBLIC KEY", public)})
	}
	return all
}

// specimens caches the specimens by the names of their schemes.
var specimens = map[string]specimen{}

// specimenOf finds the values that deliveries of a scheme need.
func specimenOf(t *testing.T, scheme schemes.Scheme) specimen {
	t.Helper()
	if known, ok := specimens[scheme.Name()]; ok {
		known.scheme = scheme
		return known
	}
	for _, secret := range secretsOf(t, rawKey) {
		for _, s := range []specimen{{text: body}, {text: body, event: "6"}, {text: body, id: "msg_1"}, {text: form}} {
			s.scheme, s.signing, s.secret, s.public = scheme, secret[0], secret[1], secret[0] != secret[1]
			if d, ok := s.signed(s.signing, s.text, request); ok && d.accepted() {
				specimens[scheme.Name()] = s
				return s
			}
		}
	}
	t.Fatalf("%s: nothing here can sign for it; add its kind of secrets to secretsOf", scheme.Name())
	return specimen{}
}

// signed returns a delivery signed by the scheme.
func (s specimen) signed(secret, text string, r schemes.Request) (*Delivery, bool) {
	h, err := s.scheme.SignWith(secret, schemes.Delivery{Body: []byte(text), At: noon, Event: s.event, ID: s.id, Request: r})
	if err != nil {
		return nil, false
	}
	r.Header = h
	return &Delivery{Scheme: s.scheme, Secrets: []string{s.secret}, Request: r, Body: []byte(text)}, true
}

// signedBody returns a delivery of any body. Some schemes sign the digest of a
// body that is not a form, in the URL.
func (s specimen) signedBody(text string) (*Delivery, bool) {
	if d, ok := s.signed(s.signing, text, request); ok {
		return d, true
	}
	r := request
	r.URI += fmt.Sprintf("&bodySHA256=%x", sha256.Sum256([]byte(text)))
	return s.signed(s.signing, text, r)
}

// delivery returns a correct delivery.
func (s specimen) delivery(t *testing.T) *Delivery {
	t.Helper()
	d, ok := s.signed(s.signing, s.text, request)
	if !ok || !d.accepted() {
		t.Fatalf("%s: the delivery is not accepted to begin with", s.scheme.Name())
	}
	return d
}

// secretOf writes a key as the scheme's secrets are written.
func (s specimen) secretOf(raw []byte) (string, bool) {
	for _, secret := range textsOf(raw) {
		keys, err := s.scheme.Keys(secret)
		if err == nil && bytes.Equal(keys[0].Secret, raw) {
			return secret, true
		}
	}
	return "", false
}

// isText reports whether the text of a secret is the key.
func (s specimen) isText() bool {
	secret, ok := s.secretOf(rawKey)
	return ok && secret == string(rawKey)
}

func (d *Delivery) accepted() bool { return d.reason() == "" }

// reason returns the reason for which the delivery is refused, or nothing if it
// is accepted.
func (d *Delivery) reason() schemes.Reason {
	v, err := d.Scheme.NewVerifier(d.Secrets)
	if err != nil {
		return schemes.Reason(err.Error())
	}
	opened, err := v.Begin(d.Request)
	if err == nil {
		defer opened.Close()
		opened.Write(d.Body)
		_, err = opened.Authenticate()
	}
	if err == nil {
		return ""
	}
	return err.(schemes.Refusal).Reason() //nolint:errorlint // exactly this type
}

// refused returns the proven findings for a refusal.
func (d *Delivery) refused(reason schemes.Reason) []Finding {
	if e := d.Refused(context.Background(), reason); e.Proven {
		return e.Findings
	}
	return nil
}

// unexplained returns Tried and Next.
func (d *Delivery) unexplained(reason schemes.Reason) (tried, do string) {
	e := d.Refused(context.Background(), reason)
	return e.Tried, e.Next
}

// bodies yields the bodies that the rows of the table derive from one.
func bodies(body []byte) iter.Seq[undoneBody] {
	craneops, _ := schemes.Get("craneops")
	s := &search{Delivery: &Delivery{Scheme: craneops}, ctx: context.Background(), left: maxEffort}
	return func(yield func(undoneBody) bool) {
		c := candidate{scheme: craneops, body: body}
		for i := range table {
			if r := &table[i]; r.part == inBody && len(body) <= r.largest() {
				for next := range s.apply(r, c) {
					if !yield(undoneBody{next.body, next.found[0].Finding}) {
						return
					}
				}
			}
		}
	}
}

type undoneBody struct {
	body    []byte
	finding Finding
}

// expect explains a delivery and checks that each finding contains the wanted
// text.
func (d *Delivery) expect(t *testing.T, want ...string) {
	t.Helper()
	reason := d.reason()
	if reason == "" {
		t.Fatalf("%s: it is accepted; nothing is wrong with it", d.Scheme.Name())
	}
	found := d.refused(reason)
	if len(found) != len(want) {
		t.Fatalf("%s: %s: %d findings, want %d: %+v", d.Scheme.Name(), reason, len(found), len(want), found)
	}
	for i, f := range found {
		if !strings.Contains(f.What, want[i]) || f.Do == "" {
			t.Errorf("%s: %s: %q, do %q; want %q", d.Scheme.Name(), reason, f.What, f.Do, want[i])
		}
		for _, secret := range d.Secrets {
			if strings.Contains(f.What+f.Do, secret) {
				t.Errorf("%s: the secret is in %+v", d.Scheme.Name(), f)
			}
		}
	}
}

// thorough makes some tests try more. They take long, because a search that
// finds nothing tries the whole table, also in pairs.
var thorough = os.Getenv("THOROUGH") != ""

// everyScheme runs a test for every registered scheme to which it applies. Without
// THOROUGH it is one for each way to sign.
func everyScheme(t *testing.T, applies func(s specimen) bool, test func(t *testing.T, s specimen)) {
	t.Helper()
	tested, ways := 0, map[string]bool{}
	for _, scheme := range schemes.All() {
		s := specimenOf(t, scheme)
		way := fmt.Sprint(scheme.SignedBytes(), scheme.Time(), s.public, s.isText())
		if !applies(s) || ways[way] && !thorough {
			continue
		}
		ways[way] = true
		tested++
		t.Run(scheme.Name(), func(t *testing.T) { test(t, s) })
	}
	if tested == 0 {
		t.Error("it applies to no scheme")
	}
}

func all(specimen) bool { return true }

// hmacs reports whether a scheme has no public keys. A mistake in a public key
// is found when it is read, and no one can sign with it.
func hmacs(s specimen) bool { return !s.public }

func hmacsOverTime(s specimen) bool {
	return !s.public && s.scheme.Time() == schemes.TimeInHeaders
}

func textKeys(s specimen) bool { return !s.public && s.isText() }
