package explain

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // some providers sign with it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// signatureText is a text that can be a signature, in hex or base64, perhaps cut
// off.
var signatureText = regexp.MustCompile(`[0-9A-Za-z+/_-]{8,}={0,2}`)

// maxEntries bounds how many of them are looked at, since two at a time are tried
// in the place of each other.
const maxEntries = 16

// entry is such a text in the signature header.
type entry struct{ start, end int }

// entries are those of the signature header, with the header's name and value.
func (d *Delivery) entries() (name, value string, found []entry) {
	// Each set of other names begins with the signature's.
	for _, name = range append([]string{d.Scheme.SignatureHeader}, d.Scheme.AliasHeaders...) {
		if value = d.Request.Header.Get(name); value != "" {
			break
		}
	}
	for _, at := range signatureText.FindAllStringIndex(value, maxEntries) {
		found = append(found, entry{at[0], at[1]})
	}
	return name, value, found
}

// with is the delivery with another text in place of an entry.
func (d *Delivery) with(name, value string, e entry, text string) schemes.Request {
	r := d.Request
	r.Header = replaced(r.Header, name, value[:e.start]+text+value[e.end:])
	return r
}

// hashes are those of the HMACs.
var hashes = []struct {
	algorithm schemes.Algorithm
	hash      func() hash.Hash
}{
	{schemes.HMACSHA256, sha256.New},
	{schemes.HMACSHA1, sha1.New},
	{schemes.HMACSHA384, sha512.New384},
	{schemes.HMACSHA512, sha512.New},
}

// encodings are the ways to write a signature.
var encodings = []struct {
	words string
	write func([]byte) string
}{
	{"hex", hex.EncodeToString},
	{"base64", base64.StdEncoding.EncodeToString},
	{"base64url", base64.RawURLEncoding.EncodeToString},
}

// writtenOtherwise looks for a signature that is right but cut off, in another
// form or made with another hash. To learn what is signed, one that the
// scheme can read is put in its place.
func (d *Delivery) writtenOtherwise() []Finding {
	name, value, sent := d.entries()
	for _, secret := range d.Secrets {
		keys, err := d.Scheme.Keys(secret)
		if err != nil {
			continue
		}
		for _, key := range keys {
			if key.Public != nil {
				continue
			}
			for _, e := range sent {
				text := value[e.start:e.end]
				for _, signed := range d.signedWith(secret, key, name, value, e) {
					if f := describeSignature(key, signed, text); f != nil {
						return []Finding{*f}
					}
				}
			}
		}
	}
	return nil
}

// signedWith gives what is signed, in each way that lets the scheme read the
// header.
func (d *Delivery) signedWith(secret string, key schemes.Key, name, value string, e entry) (all [][]byte) {
	v := d.verifier(d.Scheme)
	if v == nil {
		return nil
	}
	var requests []schemes.Request
	for _, h := range hashes {
		if h.algorithm == key.Algorithm {
			for _, enc := range encodings {
				requests = append(requests, d.with(name, value, e, enc.write(make([]byte, h.hash().Size()))))
			}
		}
	}
	if r, ok := d.resigned(secret); ok {
		requests = append(requests, r)
	}
	for _, r := range requests {
		opened, err := v.Open(r)
		if err != nil {
			continue
		}
		if signed, err := opened.Signed(d.Body); err == nil {
			all = append(all, slices.Clone(signed))
		}
		opened.Close()
	}
	return all
}

// resigned is the delivery with the signature header of another one, for
// schemes that have nothing else in it.
func (d *Delivery) resigned(secret string) (schemes.Request, bool) {
	// The time is one that every unit can write.
	out := schemes.Outgoing{Body: d.Body, Request: d.Request, Event: "1", At: time.Unix(1e9, 0)}
	if d.Scheme.SignsID {
		out.ID = "1"
	}
	h, err := d.Scheme.SignWith(secret, out)
	if err != nil {
		out.Event = ""
		h, err = d.Scheme.SignWith(secret, out)
	}
	if err != nil {
		return schemes.Request{}, false
	}
	r := d.Request
	r.Header = replaced(r.Header, d.Scheme.SignatureHeader, h.Get(d.Scheme.SignatureHeader))
	return r, true
}

// describeSignature says how a text differs from the signature that it should
// be, or gives nil if it is another one.
func describeSignature(key schemes.Key, signed []byte, text string) *Finding {
	for _, h := range hashes {
		mac := hmac.New(h.hash, key.Secret)
		mac.Write(signed)
		sum := mac.Sum(nil)
		for _, enc := range encodings {
			right := enc.write(sum)
			given := text
			if enc.words == "hex" {
				given = strings.ToLower(text)
			}
			given, right = strings.TrimRight(given, "="), strings.TrimRight(right, "=")
			if !strings.HasPrefix(right, given) {
				continue
			}
			switch {
			case len(given) < len(right):
				return &Finding{
					"the signature is right but cut off: its end is missing",
					"pass on, and keep, the whole header: some logs and proxies shorten long values",
				}
			case h.algorithm != key.Algorithm:
				return &Finding{
					fmt.Sprintf("the signature is made with %s, and this scheme has %s", h.algorithm, key.Algorithm),
					"have the sender sign with the other hash, or write a scheme_definition with that algorithm",
				}
			default:
				return &Finding{
					fmt.Sprintf("the signature is right, but not written as this scheme has it; it is %s as sent", enc.words),
					"look at its prefix, its encoding and its padding; have the sender write it so, or write a scheme_definition",
				}
			}
		}
	}
	return nil
}
