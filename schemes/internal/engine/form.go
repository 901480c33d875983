package engine

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The signature header of a definition: its rules are compiled here, and the
// header of a request is read and written by them.

// MaxHeader bounds, in bytes, the signature header and every signed header.
// Real ones have a few hundred.
const MaxHeader = 4096

// compileForm checks the form of the signature header.
func (c *defined) compileForm() error {
	f := &c.Signature
	var err error
	if f.Encoding, err = oneOf("signature: encoding", f.Encoding, encodingHex, encodingBase64, encodingBase64URL); err != nil {
		return err
	}
	c.single = f.Separator == ""
	if c.single {
		if f.Assign != "" || len(f.Names) > 0 || len(c.Variants) > 0 || c.Timestamp.Field != "" || c.ID.Field != "" {
			return errors.New("signature: separator: without one the header is a single signature, and has no names and no fields; write what stands between its entries, such as a comma")
		}
		return nil
	}
	f.Assign = cmp.Or(f.Assign, "=")
	if f.Assign == f.Separator {
		return errors.New("signature: assign: this is the separator too; write what stands between the name of an entry and its value")
	}
	names := slices.Clone(f.Names)
	for _, k := range c.kinds {
		if len(c.Variants) > 0 {
			names = append(names, k.name)
		}
	}
	if len(names) == 0 {
		return errors.New("signature: names: a list has entries with names; write those of the signatures, such as v1")
	}
	for _, field := range []string{c.Timestamp.Field, c.ID.Field} {
		if field != "" {
			names = append(names, field)
		}
	}
	for i, name := range names {
		switch {
		case name == "" || strings.Contains(name, f.Separator) || strings.Contains(name, f.Assign):
			return fmt.Errorf("signature: names: one of them cannot be the name of an entry; write it as it stands in the header, without separator and %s", f.Assign)
		case slices.Contains(names[:i], name):
			return errors.New("signature: names: one of them is there twice; give each entry one meaning")
		}
	}
	return nil
}

// openSignature reads the signature header. It skips an entry with another
// name, one for which there is no key and one that is not a signature, since
// they prove nothing either way. A header without any usable entry is
// malformed; it is missing only if it is absent or empty.
func (c *defined) openSignature(h http.Header, set *headerSet, claim *SignedHeaders) error {
	text, err := Single(h, set.signature.name, &set.signature.Refusals)
	if err != nil {
		return err
	}
	malformed := set.signature.Malformed
	if len(text) > MaxHeader {
		return malformed
	}
	if c.single {
		if !c.addSignature(claim, 0, text) {
			return malformed
		}
		return nil
	}
	var timeSeen, idSeen, usableSeen bool
	for more := true; more; {
		var entry string
		entry, text, more = strings.Cut(text, c.Signature.Separator)
		name, value, ok := strings.Cut(entry, c.Signature.Assign)
		if !ok || name == "" {
			continue
		}
		switch at := c.kindOf(name); {
		case at >= 0 && claim.usable&(1<<at) == 0:
			continue // no key could verify it
		case at >= 0:
			usableSeen = true
			// Without this check, each signature over the limit would be
			// skipped.
			ok = len(claim.Signatures) < MaxSignatures
			if ok && !c.addSignature(claim, at, value) {
				continue
			}
		case name == c.Timestamp.Field:
			ok = !timeSeen
			timeSeen = true
			claim.SentAtText = value
			ok = ok && c.takeTime(claim)
		case name == c.ID.Field:
			ok = !idSeen && isID(c.ids, value)
			idSeen = true
			claim.ID = value
		}
		if !ok {
			return malformed
		}
	}
	switch {
	case !timeSeen && c.Timestamp.Field != "", !idSeen && c.ID.Field != "":
		return malformed
	case len(claim.Signatures) > 0:
		return nil
	case usableSeen || len(c.Variants) == 0:
		return malformed // this refusal names the entries that are accepted
	}
	return noUsableSignature
}

// kindOf returns the kind of signature that an entry name stands for, or -1.
func (c *defined) kindOf(name string) int {
	if len(c.Variants) == 0 {
		if slices.Contains(c.Signature.Names, name) {
			return 0
		}
		return -1
	}
	for i := range c.kinds {
		if name == c.kinds[i].name {
			return i
		}
	}
	return -1
}

// addSignature decodes a signature of a kind.
func (c *defined) addSignature(claim *SignedHeaders, kind int, text string) bool {
	text, ok := strings.CutPrefix(text, c.Signature.Prefix)
	if !ok {
		return false
	}
	size := algorithms[c.kinds[kind].algorithm].size
	switch c.Signature.Encoding {
	case encodingBase64:
		return claim.AddBase64(StrictBase64, text, size, kind)
	case encodingBase64URL:
		enc := StrictRawBase64URL
		if strings.HasSuffix(text, "=") {
			enc = StrictBase64URL
		}
		return claim.AddBase64(enc, text, size, kind)
	}
	return claim.AddHex(text, size, kind)
}

// writeSignature writes the signature header.
func (c *defined) writeSignature(kind int, signature []byte, claim *SignedHeaders) string {
	f := &c.Signature
	text := f.Prefix
	switch f.Encoding {
	case encodingBase64:
		text += StrictBase64.EncodeToString(signature)
	case encodingBase64URL:
		text += StrictRawBase64URL.EncodeToString(signature)
	default:
		text += hex.EncodeToString(signature)
	}
	if c.single {
		return text
	}
	name := c.kinds[kind].name
	if name == "" {
		name = f.Names[0]
	}
	text = name + f.Assign + text
	if c.ID.Field != "" {
		text = c.ID.Field + f.Assign + claim.ID + f.Separator + text
	}
	if c.Timestamp.Field != "" {
		text = c.Timestamp.Field + f.Assign + claim.SentAtText + f.Separator + text
	}
	return text
}

// describeForm describes the grammar of the signature header, for refusals.
func (c *defined) describeForm() string {
	f := &c.Signature
	text := f.Encoding
	if f.Prefix != "" {
		text = f.Prefix + " and " + f.Encoding
	}
	if c.single {
		return "one signature: " + text
	}
	names := slices.Clone(f.Names)
	for _, k := range c.kinds {
		if k.name != "" {
			names = append(names, k.name)
		}
	}
	text = "a list of entries " + strings.Join(names, " or ") + " with " + text
	if c.Timestamp.Field != "" {
		text += ", and one " + c.Timestamp.Field
	}
	if c.ID.Field != "" {
		text += ", and one " + c.ID.Field
	}
	return text
}
