package explain

import (
	"maps"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
)

// Unexplained says what was tried in vain for a delivery that was refused for
// its signature, and what to look at next. Both are empty for other reasons.
func (d *Delivery) Unexplained(reason schemes.Reason) (tried, do string) {
	switch reason {
	case schemes.SignatureMismatch:
		return d.triedForMismatch(), d.lookAfterMismatch()
	case schemes.MissingSignature, schemes.MissingSignedHeader, schemes.MalformedSignature, schemes.MalformedSignedHeader:
		return strings.Join(append(d.triedForDefinition(), "all other schemes"), "; "), d.lookAtHeaders()
	}
	return "", ""
}

func (d *Delivery) triedForMismatch() string {
	all := []string{"the secret encoded, decoded, trimmed and quoted", "the body with other line ends, encoded, or empty"}
	if len(d.Body) <= maxRewritten {
		all = append(all, "its JSON written otherwise")
	}
	if d.Scheme.SignsRequest {
		all = append(all, "another scheme, host, port, path and query of the URL, and other methods")
	}
	all = append(all, d.triedForDefinition()...)
	all = append(all, "other units of the time", "older versions of the signature", "all other schemes")
	return strings.Join(all, "; ")
}

func (d *Delivery) triedForDefinition() []string {
	if d.Definition == nil {
		return nil
	}
	all := []string{"the secret as a key of every form and algorithm", "signature, time and id wherever the headers can have them"}
	if len(d.Body) <= maxPaired {
		all = append(all, "the parts of signed in other orders and with other separators, as far as a definition may have them")
	}
	return all
}

func (d *Delivery) lookAfterMismatch() string {
	do := "look whether the secret is the one of this webhook in this environment, and compare the signed bytes with the provider's own record of the delivery"
	if len(d.Body) == 0 {
		do = "the body that was kept is empty: keep it as it was sent; if it is meant to be, " + do
	}
	return do
}

// lookAtHeaders names those that can be a signature.
func (d *Delivery) lookAtHeaders() string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(d.Request.Header)) {
		for _, text := range signatureText.FindAllString(d.Request.Header.Get(name), maxEntries) {
			if _, size := encodingOf(text); size > 0 && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if names == nil {
		return "none of the headers looks like a signature: keep all headers of a delivery, in full length"
	}
	return "these headers look like a signature: " + strings.Join(names, ", ") + "; compare with the provider's documentation what stands in them, and look whether the secret is the one of this webhook"
}
