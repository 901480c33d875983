package explain

import (
	"cmp"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// keyForm is an algorithm with a way to read a secret, as a definition names
// both.
type keyForm struct{ algorithm, form string }

// keyForms are those in which the configured secrets can be read, the
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
			// What the definition leaves unsaid stays so.
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

// otherKeyForms says how the secrets could be read in place of what the
// definition says.
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

// said is what it means where something is left out.
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

// reads tells whether all secrets can be read so.
func (d *Delivery) reads(k keyForm) bool {
	scheme, err := schemes.Definition{
		Algorithm: k.algorithm, Key: k.form, Signature: schemes.SignatureForm{Header: "X-Any"},
	}.Compile(d.Scheme.Name)
	if err != nil {
		return false
	}
	_, err = scheme.NewVerifier(d.Secrets...)
	return err == nil
}

// canBe tells whether a signature of this algorithm has the form's size.
func (f signatureForm) canBe(k keyForm) bool {
	sizes := map[string]int{"hmac-sha256": 32, "hmac-sha1": 20, "hmac-sha384": 48, "hmac-sha512": 64, "ed25519": 64}
	size, fixed := sizes[k.said().algorithm]
	return f.size == 0 || f.size == size || !fixed
}
