// Package explain finds the common mistake behind a delivery whose signature
// does not match. It changes one thing at a time, or two, and asks the
// scheme's own verifier each time; what then matches is the mistake.
package explain

import (
	"github.com/hooklatch/hooklatch/schemes"
)

// Delivery is a delivery with what it is verified by.
type Delivery struct {
	Scheme *schemes.Scheme
	// Definition is what the scheme was made of, if it is the user's own.
	Definition *schemes.Definition
	Secrets    []string
	Request    schemes.Request
	Body       []byte
}

// Finding is a mistake. It holds no secret, no MAC and nothing of a body.
type Finding struct {
	// What is wrong.
	What string
	// Do says what to change, at the sender or in the configuration.
	Do string
}

// maxPaired bounds, in bytes, the bodies for which several mistakes at once are
// looked for, which is many thousand MACs.
const maxPaired = 64 << 10

// Refused finds what is wrong with a delivery that was refused for a reason:
// one mistake, or two that were made together. It finds none for a reason that
// has nothing to do with the signature.
func (d *Delivery) Refused(reason schemes.Reason) []Finding {
	steps := []func() []Finding{d.definition}
	switch reason {
	case schemes.SignatureMismatch:
		steps = append(steps, d.single()...)
		steps = append(steps, d.otherScheme)
		if len(d.Body) <= maxPaired {
			steps = append(steps, d.secretAndMore, d.bodyAndURL)
		}
	case schemes.MissingSignature, schemes.MissingSignedHeader:
		steps = append(steps, d.otherScheme, d.otherHeaders)
	case schemes.MalformedSignature, schemes.MalformedSignedHeader:
		steps = append(steps, d.otherScheme, d.sentTime, d.writtenOtherwise, d.otherHeaders)
	case schemes.NoSignedTime:
		return d.notThere()
	default:
		return nil
	}
	for _, step := range steps {
		if found := step(); found != nil {
			return found
		}
	}
	return nil
}

// Accepted says what an operator should change although a delivery is accepted.
func (d *Delivery) Accepted() []Finding {
	return append(d.previousSecret(), d.notThere()...)
}

// single are the steps that look for one mistake in a delivery of the right
// form.
func (d *Delivery) single() []func() []Finding {
	return []func() []Finding{d.secret, d.body, d.url, d.signedTime, d.label, d.bodyAlone}
}

func (d *Delivery) secret() []Finding {
	tries := d.keys()
	if at := tries.match(d.Scheme, d.Request, d.Body); at != nil {
		return at.findings
	}
	return nil
}

func (d *Delivery) body() []Finding {
	v := d.verifier(d.Scheme)
	for b := range bodies(d.Body) {
		if matches(v, d.Request, b.body) {
			return []Finding{b.finding}
		}
	}
	return nil
}

func (d *Delivery) url() []Finding {
	v := d.verifier(d.Scheme)
	for _, r := range d.requests() {
		if matches(v, r.request, d.Body) {
			return []Finding{r.finding}
		}
	}
	return nil
}

// secretAndMore looks for a mistake in the secret together with another one.
func (d *Delivery) secretAndMore() []Finding {
	tries := d.keys()
	for b := range bodies(d.Body) {
		if at := tries.match(d.Scheme, d.Request, b.body); at != nil {
			return append(at.findings, b.finding)
		}
	}
	for _, r := range d.requests() {
		if at := tries.match(d.Scheme, r.request, d.Body); at != nil {
			return append(at.findings, r.finding)
		}
	}
	return nil
}

func (d *Delivery) bodyAndURL() []Finding {
	requests := d.requests()
	if len(requests) == 0 {
		return nil
	}
	v := d.verifier(d.Scheme)
	for b := range bodies(d.Body) {
		for _, r := range requests {
			if matches(v, r.request, b.body) {
				return []Finding{b.finding, r.finding}
			}
		}
	}
	return nil
}

// verifier makes one for a scheme, or gives nil if the secrets are none of its.
func (d *Delivery) verifier(scheme *schemes.Scheme) *schemes.Verifier {
	v, err := scheme.NewVerifier(d.Secrets...)
	if err != nil {
		return nil
	}
	return v
}

func matches(v *schemes.Verifier, r schemes.Request, body []byte) bool {
	return match(v, r, body) > 0
}

// match gives the position of the secret that matches, or 0.
func match(v *schemes.Verifier, r schemes.Request, body []byte) int {
	if v == nil {
		return 0
	}
	d, err := v.Open(r)
	if err != nil {
		return 0
	}
	defer d.Close()
	d.Write(body)
	n, err := d.Verify(body)
	if err != nil {
		return 0
	}
	return n
}

// opening is a scheme that changes what it reads from the headers. Only what
// is around the body can be changed.
func opening(scheme *schemes.Scheme, change func(*schemes.Claim)) *schemes.Scheme {
	changed := *scheme
	changed.Open = func(r schemes.Request, c *schemes.Claim) error {
		err := scheme.Open(r, c)
		if err == nil {
			change(c)
		}
		return err
	}
	return &changed
}
