package explain

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"slices"
	"strings"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
)

// signedText returns the signed text of a delivery, and the key that signs it.
func (d *Delivery) signedText(t *testing.T) ([]byte, schemes.Key) {
	t.Helper()
	opened, err := d.verifier(d.Scheme).Begin(d.Request)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	opened.Write(d.Body)
	signed, err := opened.Signed()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := d.Scheme.Keys(d.Secrets[0])
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(signed), keys[0]
}

func sum(newHash func() hash.Hash, key, text []byte) []byte {
	mac := hmac.New(newHash, key)
	mac.Write(text)
	return mac.Sum(nil)
}

func hashOf(key schemes.Key) func() hash.Hash {
	for _, h := range hashes {
		if h.algorithm == key.Algorithm {
			return h.hash
		}
	}
	return nil
}

// signature returns the text of the signature in the headers. Schemes write it
// last.
func (d *Delivery) signature() string {
	value := d.Request.Header.Get(d.Scheme.SignatureHeader())
	all := signatureText.FindAllString(value, -1)
	return all[len(all)-1]
}

// put replaces the signature.
func (d *Delivery) put(text string) {
	value := d.Request.Header.Get(d.Scheme.SignatureHeader())
	d.Request.Header.Set(d.Scheme.SignatureHeader(), strings.TrimSuffix(value, d.signature())+text)
}

// inForm writes a signature in the scheme's form.
func (d *Delivery) inForm(signature []byte) string {
	if _, err := hex.DecodeString(d.signature()); err == nil {
		return hex.EncodeToString(signature)
	}
	return base64.StdEncoding.EncodeToString(signature)
}

func TestCutOff(t *testing.T) {
	everyScheme(t, hmacs, func(t *testing.T, s specimen) {
		for _, left := range []int{10, 20} {
			d := s.delivery(t)
			d.put(d.signature()[:left])
			d.expect(t, "the signature is right but cut off")
		}
		d := s.delivery(t)
		d.put(strings.Repeat("A", 20))
		if found := d.refused(d.reason()); found != nil {
			t.Errorf("the beginning of no signature: %+v", found)
		}
	})
}

// TestCutOffUnderOtherNames tests truncated signatures in headers with alias
// names.
func TestCutOffUnderOtherNames(t *testing.T) {
	hasAliases := func(s specimen) bool { return hmacs(s) && len(s.scheme.AliasHeaders()) > 0 }
	everyScheme(t, hasAliases, func(t *testing.T, s specimen) {
		d := s.delivery(t)
		d.put(d.signature()[:20])
		for i, name := range append([]string{s.scheme.SignatureHeader()}, s.scheme.SignedHeaders()...) {
			d.Request.Header.Set(s.scheme.AliasHeaders()[i], d.Request.Header.Get(name))
			d.Request.Header.Del(name)
		}
		d.expect(t, "the signature is right but cut off")
	})
}

func TestOtherEncoding(t *testing.T) {
	everyScheme(t, hmacs, func(t *testing.T, s specimen) {
		text, key := s.delivery(t).signedText(t)
		refused := 0
		for _, enc := range encodings {
			d := s.delivery(t)
			d.put(enc.write(sum(hashOf(key), key.Secret, text)))
			if !d.accepted() {
				refused++
				d.expect(t, "the signature is right, but not written as this scheme has it; it is "+strings.TrimSuffix(enc.words, "url"))
			}
		}
		if refused == 0 {
			t.Error("it takes every encoding")
		}
	})
}

func TestOtherPrefix(t *testing.T) {
	github, _ := schemes.Get("github")
	d := specimenOf(t, github).delivery(t)
	d.Request.Header.Set(github.SignatureHeader(), d.signature())
	d.expect(t, "the signature is right, but not written as this scheme has it")

	craneops, _ := schemes.Get("craneops")
	d = specimenOf(t, craneops).delivery(t)
	d.Request.Header.Set(craneops.SignatureHeader(), "sha256="+strings.ToUpper(d.signature()))
	d.expect(t, "the signature is right, but not written as this scheme has it; it is hex as sent")
}

func TestOtherHash(t *testing.T) {
	everyScheme(t, hmacs, func(t *testing.T, s specimen) {
		for _, h := range hashes {
			d := s.delivery(t)
			text, key := d.signedText(t)
			if h.algorithm == key.Algorithm {
				continue
			}
			d.put(d.inForm(sum(h.hash, key.Secret, text)))
			d.expect(t, "the signature is made with "+h.algorithm.String()+", and this scheme has "+key.Algorithm.String())
		}
	})
}

// TestSignedTime: the header has the time in the scheme's unit, and another
// one is signed.
func TestSignedTime(t *testing.T) {
	everyScheme(t, hmacsOverTime, func(t *testing.T, s specimen) {
		for _, u := range units {
			d := s.delivery(t)
			text, key := d.signedText(t)
			sent := timeText.Find(text)
			other := bytes.Replace(text, sent, []byte(u.write(noon)), 1)
			if bytes.Equal(text, other) {
				continue
			}
			d.put(d.inForm(sum(hashOf(key), key.Secret, other)))
			d.expect(t, "the time is signed in "+u.words)
		}
	})
}

// TestSentTime: the header has the time in another unit, which may also be
// signed.
func TestSentTime(t *testing.T) {
	everyScheme(t, hmacsOverTime, func(t *testing.T, s specimen) {
		refused := 0
		for _, signedToo := range []bool{true, false} {
			for _, u := range units {
				d := s.delivery(t)
				text, key := d.signedText(t)
				sent, other := string(timeText.Find(text)), u.write(noon)
				if signedToo {
					d.put(d.inForm(sum(hashOf(key), key.Secret, bytes.Replace(text, []byte(sent), []byte(other), 1))))
				}
				for name, values := range d.Request.Header {
					d.Request.Header[name] = []string{strings.Replace(values[0], sent, other, 1)}
				}
				if reason := d.reason(); reason == schemes.MalformedSignature || reason == schemes.MalformedSignedHeader {
					refused++
					d.expect(t, "the time in ")
				}
			}
		}
		if refused == 0 {
			t.Error("it takes every unit")
		}
	})
}

func TestBodyAlone(t *testing.T) {
	signsMore := func(s specimen) bool {
		text, _ := s.delivery(t).signedText(t)
		return bytes.HasSuffix(text, []byte(s.text)) && len(text) > len(s.text)
	}
	everyScheme(t, func(s specimen) bool { return hmacs(s) && signsMore(s) }, func(t *testing.T, s specimen) {
		d := s.delivery(t)
		_, key := d.signedText(t)
		d.put(d.inForm(sum(hashOf(key), key.Secret, d.Body)))
		d.expect(t, "the sender signed the body alone")
	})
}

// TestOlderVersion: only an entry with an older version matches.
func TestOlderVersion(t *testing.T) {
	versions := func(s specimen) bool {
		_, value, sent := s.delivery(t).entries()
		return hmacs(s) && version(value, sent[len(sent)-1]) == 1
	}
	everyScheme(t, versions, func(t *testing.T, s specimen) {
		_, value, sent := s.delivery(t).entries()
		last := sent[len(sent)-1]
		tested := 0
		for _, separator := range []string{",", " "} {
			d := s.delivery(t)
			right := d.signature()
			older := "v0" + value[strings.LastIndex(value[:last.start], "v1")+len("v1"):]
			d.put(blank(right))
			d.Request.Header.Set(d.Scheme.SignatureHeader(), d.Request.Header.Get(d.Scheme.SignatureHeader())+separator+older)
			switch d.reason() {
			case schemes.SignatureMismatch:
				d.expect(t, "the secret matches v0 alone, which this scheme passes over")
				tested++
			case "":
				if found := d.Accepted(); len(found) != 1 || !strings.Contains(found[0].What, "it matches v0 alone") {
					t.Errorf("%+v", found)
				}
				tested++
			}
		}
		if tested == 0 {
			t.Error("no list was made that it can read")
		}
	})
}

// TestCryptrVersions: the finding names the previous secret.
func TestCryptrVersions(t *testing.T) {
	cryptr, _ := schemes.Get("cryptr")
	s := specimenOf(t, cryptr)
	sign := func(secret string) string {
		d, _ := s.signed(secret, body, request)
		return d.signature()
	}
	for _, c := range []struct {
		name, v1, v0 string
		secrets      []string
		noted        bool
	}{
		{"the previous one", "new", "old", []string{"old"}, true},
		{"the new one", "new", "old", []string{"new"}, false},
		{"both", "new", "old", []string{"old", "new"}, false},
		{"the same for both", "one", "one", []string{"one"}, false},
	} {
		d, _ := s.signed("new", body, request)
		d.Secrets = c.secrets
		d.Request.Header.Set(cryptr.SignatureHeader(), "t=1769860800,v1=sha256."+sign(c.v1)+",v0=sha256."+sign(c.v0))
		if !d.accepted() {
			t.Fatalf("%s: %s", c.name, d.reason())
		}
		if found := d.Accepted(); (found != nil) != c.noted {
			t.Errorf("%s: %+v", c.name, found)
		}
	}
}

// TestAccepted: a correct delivery has no findings.
func TestAccepted(t *testing.T) {
	everyScheme(t, all, func(t *testing.T, s specimen) {
		if found := s.delivery(t).Accepted(); found != nil {
			t.Errorf("%+v", found)
		}
	})
}
