package explain

import (
	"cmp"
	"reflect"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// definition looks for what a definition of the user's own says otherwise than
// its provider does: how the signature is written, where the time is, and which
// text is signed. What of the delivery then matches is what to write.
func (d *Delivery) definition() []Finding {
	if d.Definition == nil {
		return nil
	}
	signed := templates(d.Definition.Signed)
	if len(d.Body) > maxPaired {
		signed = signed[:1]
	}
	for _, signed := range signed {
		for _, form := range d.forms() {
			for _, at := range d.times() {
				changed := *d.Definition
				changed.Signed, changed.Signature, changed.Timestamp = signed, form, at
				scheme, err := changed.Compile(d.Scheme.Name)
				if err == nil && matches(d.verifier(scheme), d.Request, d.Body) {
					return d.differences(&changed)
				}
			}
		}
	}
	return nil
}

// differences says what to write in place of what is there.
func (d *Delivery) differences(right *schemes.Definition) (found []Finding) {
	if !reflect.DeepEqual(right.Signature, d.Definition.Signature) {
		found = append(found, Finding{"the signature is written otherwise than the definition says", "write " + signatureOption(right.Signature)})
	}
	if right.Timestamp != d.Definition.Timestamp {
		found = append(found, Finding{"the signed time is elsewhere than the definition says, or in another unit", "write " + timestampOption(right.Timestamp)})
	}
	if right.Signed != cmp.Or(d.Definition.Signed, onlyBody) {
		signed := strings.ReplaceAll(right.Signed, "\n", `\n`)
		found = append(found, Finding{"the sender signed " + signed, "write signed " + signed + " in the definition"})
	}
	return found
}

// signatureOption is the option as a Caddyfile has it, but for its lines.
func signatureOption(f schemes.SignatureForm) string {
	var block []string
	for _, o := range []struct{ name, value string }{
		{"encoding", f.Encoding},
		{"prefix", quoted(f.Prefix)},
		{"separator", quoted(f.Separator)},
		{"assign", quoted(f.Assign)},
		{"names", strings.Join(f.Names, " ")},
	} {
		if o.value != "" {
			block = append(block, o.name+" "+o.value)
		}
	}
	if block == nil {
		return "signature header " + f.Header + " without a block"
	}
	return "signature header " + f.Header + " with a block of these lines: " + strings.Join(block, "; ")
}

// quoted is how a Caddyfile has a text with blanks.
func quoted(text string) string {
	if strings.Contains(text, " ") {
		return `"` + text + `"`
	}
	return text
}

func timestampOption(at schemes.TimePlace) string {
	text := "timestamp field " + at.Field
	if at.Header != "" {
		text = "timestamp header " + at.Header
	}
	if at.Unit != "" {
		text += " unit " + at.Unit
	}
	return text
}
