package explain

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// units are the ways to write a time, by what operators call them.
var units = []struct {
	words string
	write func(at time.Time) string
}{
	{"seconds", func(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }},
	{"milliseconds", func(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }},
	{"microseconds", func(at time.Time) string { return strconv.FormatInt(at.UnixMicro(), 10) }},
	{"nanoseconds", func(at time.Time) string { return strconv.FormatInt(at.UnixNano(), 10) }},
	{"RFC 3339", func(at time.Time) string { return at.UTC().Format(time.RFC3339) }},
	{"RFC 3339 with milliseconds", func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z07:00") }},
}

// timeText is a time as it can stand in a header.
var timeText = regexp.MustCompile(`\b(?:\d{10}|\d{13}|\d{16}|\d{19}|\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d))\b`)

// maxTimes bounds how many of them are looked at in one header.
const maxTimes = 4

// readTime reads what timeText finds: digits by how many there are.
func readTime(text string) (time.Time, bool) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	switch len(text) {
	case 10:
		return time.Unix(n, 0), true
	case 13:
		return time.UnixMilli(n), true
	case 16:
		return time.UnixMicro(n), true
	}
	return time.Unix(0, n), true
}

const oneUnit = "have the sender write and sign the time as the scheme says, or give a scheme_definition the unit that it writes"

// signedTime looks for a time that is signed in another unit than the header
// has.
func (d *Delivery) signedTime() []Finding {
	for _, u := range units {
		changed := opening(d.Scheme, func(c *schemes.Claim) {
			if at, ok := readTime(c.SentAtText); ok {
				c.Prefix = bytes.Replace(c.Prefix, []byte(c.SentAtText), []byte(u.write(at)), 1)
			}
		})
		if matches(d.verifier(changed), d.Request, d.Body) {
			return []Finding{{fmt.Sprintf("the time is signed in %s, and the header has it otherwise", u.words), oneUnit}}
		}
	}
	return nil
}

// sentTime looks for a time that the scheme cannot read because it is in
// another unit: signed as it stands there, or as the scheme says.
func (d *Delivery) sentTime() []Finding {
	for _, name := range slices.Concat([]string{d.Scheme.SignatureHeader}, d.Scheme.SignedHeaders, d.Scheme.AliasHeaders) {
		value := d.Request.Header.Get(name)
		for _, at := range timeText.FindAllStringIndex(value, maxTimes) {
			sent := value[at[0]:at[1]]
			moment, ok := readTime(sent)
			if !ok {
				continue
			}
			for _, u := range units {
				read := u.write(moment)
				r := d.Request
				r.Header = replaced(r.Header, name, value[:at[0]]+read+value[at[1]:])
				asSent := opening(d.Scheme, func(c *schemes.Claim) {
					c.Prefix = bytes.Replace(c.Prefix, []byte(read), []byte(sent), 1)
				})
				for _, s := range []*schemes.Scheme{asSent, d.Scheme} {
					if matches(d.verifier(s), r, d.Body) {
						return []Finding{{fmt.Sprintf("the time in %s is not in %s, as %s has it", name, u.words, d.Scheme.Name), oneUnit}}
					}
				}
			}
		}
	}
	return nil
}

// replaced has another value in one header.
func replaced(h http.Header, name, value string) http.Header {
	changed := h.Clone()
	changed[http.CanonicalHeaderKey(name)] = []string{value}
	return changed
}

// bodyAlone looks for a signature that does not cover the time and what else
// the scheme signs.
func (d *Delivery) bodyAlone() []Finding {
	alone := opening(d.Scheme, func(c *schemes.Claim) { c.Prefix, c.Suffix = nil, nil })
	if !matches(d.verifier(alone), d.Request, d.Body) {
		return nil
	}
	return []Finding{{
		"the sender signed the body alone, without the rest that this scheme signs",
		"have it sign what `hooklatch webhook schemes` says of this scheme, or name the scheme by which it signs",
	}}
}
