package explain

import (
	"bytes"
	"cmp"
	"iter"
	"reflect"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// definition looks for what a definition of the user's own says otherwise than
// its provider does: key and algorithm, how the signature is written, where time
// and id are, and which text is signed. What of the delivery then matches is
// what to write.
func (d *Delivery) definition() []Finding {
	if d.Definition == nil {
		return nil
	}
	left := maxEffort
	for changed := range d.candidates() {
		if left -= costOfTry + len(d.Body); left < 0 {
			return nil
		}
		if d.isSignedBy(changed) {
			return d.differences(changed)
		}
	}
	return nil
}

// maxEffort bounds the search, in bytes to hash: some seconds. To try once costs
// as much as hashing costOfTry, besides the body.
const (
	maxEffort = 4 << 30
	costOfTry = 20 << 10
)

func (d *Delivery) isSignedBy(definition *schemes.Definition) bool {
	scheme, err := definition.Compile(d.Scheme.Name)
	return err == nil && matches(d.verifier(scheme), d.Request, d.Body)
}

// candidates are definitions by which the delivery may be signed. All begin with
// what the user's own says, so that what is found first changes little.
func (d *Delivery) candidates() iter.Seq[*schemes.Definition] {
	own := d.Definition
	forms, keys, times, ids := d.forms(), d.keyForms(), d.times(), d.ids()
	return func(yield func(*schemes.Definition) bool) {
		for _, signed := range d.templates() {
			times := placesFor(signed, timestampVar, times, own.Timestamp.Body != "")
			ids := placesFor(signed, idVar, ids, own.ID.Body != "")
			for _, form := range forms {
				for _, key := range keys {
					if !form.canBe(key) {
						continue
					}
					for _, at := range times {
						for _, id := range ids {
							c := *own
							c.Signed, c.Signature, c.Algorithm, c.Key, c.Timestamp, c.ID = signed, form.SignatureForm, key.algorithm, key.form, at, id
							c.JSONObject = own.JSONObject || d.endsAtObject(signed)
							if !yield(&c) {
								return
							}
						}
					}
				}
			}
		}
	}
}

// endsAtObject tells whether what stands directly in front of the body ends
// where a JSON object begins, and not otherwise.
func (d *Delivery) endsAtObject(signed string) bool {
	return bytes.HasPrefix(d.Body, []byte("{")) &&
		(strings.HasSuffix(signed, "{url}"+onlyBody) || strings.HasSuffix(signed, idVar+onlyBody))
}

// placesFor are the places that can be tried for a variable of a signed text: if
// it is not in the text, the value is nowhere, or in the body as the definition
// says.
func placesFor[P comparable](signed, variable string, all []P, inBody bool) []P {
	var none P
	switch {
	case inBody && !strings.Contains(signed, variable):
		return all[:1]
	case !strings.Contains(signed, variable):
		return []P{none}
	}
	return all
}

// differences says what to write in place of what is there.
func (d *Delivery) differences(right *schemes.Definition) (found []Finding) {
	own := d.Definition
	add := func(differs bool, what, do string) {
		if differs {
			found = append(found, Finding{what, "in the definition " + do})
		}
	}
	add(right.Algorithm != own.Algorithm, "the signature is made with another algorithm", "write algorithm "+right.Algorithm)
	add(right.Key != own.Key, "the secret is read in another form", "write key "+right.Key)
	add(!reflect.DeepEqual(right.Signature, own.Signature),
		"the signature is written otherwise than the definition says", "write "+signatureOption(right.Signature))
	add(right.Timestamp != own.Timestamp, "the signed time is elsewhere than the definition says, or in another unit", timestampOption(right.Timestamp))
	add(right.ID != own.ID, "the signed id is elsewhere than the definition says", idOption(right.ID))
	signed := quoted(strings.ReplaceAll(right.Signed, "\n", `\n`))
	add(right.Signed != cmp.Or(own.Signed, onlyBody), "the sender signed "+signed, "write signed "+signed)
	add(right.JSONObject != own.JSONObject, "what is in front of the body ends where it begins", "write json_object")
	return found
}

// signatureOption is the option as a Caddyfile has it, but on one line.
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
			block = append(block, "`"+o.name+" "+o.value+"`")
		}
	}
	if block == nil {
		return "signature header " + f.Header + " without a block"
	}
	return "signature header " + f.Header + " with " + strings.Join(block, ", ") + " in its block"
}

// quoted is a text that is not plain in quotes, as a Caddyfile takes it.
func quoted(text string) string {
	if strings.ContainsAny(text, " ;#") {
		return `"` + text + `"`
	}
	return text
}

func timestampOption(at schemes.TimePlace) string {
	if at.Place == (schemes.Place{}) {
		return "leave timestamp out: it is not signed"
	}
	text := "write timestamp " + placeText(at.Place)
	if at.Unit != "" {
		text += " unit " + at.Unit
	}
	return text
}

func idOption(id schemes.Place) string {
	if id == (schemes.Place{}) {
		return "leave id out, or write it as occurrence_id: it is not signed"
	}
	return "write id " + placeText(id)
}

func placeText(p schemes.Place) string {
	switch {
	case p.Header != "":
		return "header " + p.Header
	case p.Field != "":
		return "field " + p.Field
	}
	return "body " + p.Body
}
