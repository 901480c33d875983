package explain

import (
	"bytes"
	"cmp"
	"iter"
	"reflect"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// otherDefinitions undoes mistakes in a user's own definition: the key and
// algorithm, the form of the signature, the places of time and id, and the
// signed text. The finding is the first definition that verifies. The search
// has its own effort, so that the rows after it are still tried.
func otherDefinitions(s *search, c candidate, yield func(candidate, string) bool) {
	if s.Definition == nil {
		return
	}
	left := s.left
	defer func() { s.left = left }()
	for changed := range s.candidates() {
		if s.spend(costOfCompiling + len(c.body)); s.stopped() {
			return
		}
		scheme, err := changed.Compile(s.Scheme.Name())
		if err != nil {
			continue
		}
		next := c
		next.scheme = scheme
		next.details = func() []Finding { return s.differences(changed) }
		if !yield(next, "") {
			return
		}
	}
}

// costOfCompiling is the cost of compiling a definition, in bytes to hash.
const costOfCompiling = 12 << 10

// candidates yields definitions by which the delivery may be signed. Each list
// of alternatives begins with the user's own value, so that the first match
// changes little.
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

// endsAtObject reports whether the value directly before the body can only be
// told from it because the body is a JSON object.
func (d *Delivery) endsAtObject(signed string) bool {
	return bytes.HasPrefix(d.Body, []byte("{")) &&
		(strings.HasSuffix(signed, "{url}"+onlyBody) || strings.HasSuffix(signed, idVar+onlyBody))
}

// placesFor returns the places to try for a variable of a signed text. If the
// variable is not in the text, the value has no place, or is in the body as the
// definition says.
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

// differences returns a finding for each option that must be changed.
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

// signatureOption returns the signature option of a Caddyfile, on one line.
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

// quoted puts a text in quotes if a Caddyfile needs them.
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

// keyForm is an algorithm and the form of a secret, as a definition names both.
type keyForm struct{ algorithm, form string }

// keyForms returns the forms in which the configured secrets can be read, the
// definition's own first.
func (d *Delivery) keyForms() []keyForm {
	own := keyForm{d.Definition.Algorithm, d.Definition.Key}
	all := []keyForm{own}
	if len(d.Definition.Variants) > 0 {
		return all
	}
	said := own.said()
	for algorithm := schemes.HMACSHA256; algorithm <= schemes.ECDSAP256; algorithm++ {
		for _, form := range []string{"text", "hex", "base64", "whsec_", "whpk_", "pem", "spki"} {
			k := keyForm{algorithm.String(), form}
			if k == said || !d.reads(k) {
				continue
			}
			// Values that the definition leaves at their default stay empty.
			if k.algorithm == said.algorithm {
				k.algorithm = own.algorithm
			}
			if k.form == said.form {
				k.form = own.form
			}
			all = append(all, k)
		}
	}
	return all
}

// otherKeyForms names other forms in which the secrets could be read.
func (d *Delivery) otherKeyForms() []Finding {
	own := keyForm{d.Definition.Algorithm, d.Definition.Key}.said()
	var forms []string
	for _, k := range d.keyForms()[1:] {
		if k := k.said(); k.algorithm == own.algorithm {
			forms = append(forms, k.form)
		}
	}
	if forms == nil {
		return nil
	}
	return []Finding{{
		"or the secret is right and has another form",
		"write key " + strings.Join(forms, ", or key ") + " in the definition",
	}}
}

// said returns the form with its defaults filled in.
func (k keyForm) said() keyForm {
	k.algorithm = cmp.Or(k.algorithm, schemes.HMACSHA256.String())
	switch k.algorithm {
	case schemes.Ed25519.String():
		k.form = cmp.Or(k.form, "hex")
	case schemes.ECDSAP256.String():
		k.form = cmp.Or(k.form, "pem")
	}
	k.form = cmp.Or(k.form, "text")
	return k
}

// reads reports whether all secrets can be read in this form.
func (d *Delivery) reads(k keyForm) bool {
	scheme, err := schemes.Definition{
		Algorithm: k.algorithm, Key: k.form, Signature: schemes.SignatureForm{Header: "X-Any"},
	}.Compile(d.Scheme.Name())
	if err != nil {
		return false
	}
	_, err = scheme.NewVerifier(d.Secrets)
	return err == nil
}

// canBe reports whether a signature of this algorithm has the form's size.
func (f signatureForm) canBe(k keyForm) bool {
	sizes := map[string]int{"hmac-sha256": 32, "hmac-sha1": 20, "hmac-sha384": 48, "hmac-sha512": 64, "ed25519": 64}
	size, fixed := sizes[k.said().algorithm]
	return f.size == 0 || f.size == size || !fixed
}
