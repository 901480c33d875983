// Package explain says why a delivery does not verify, and what to change. It
// has a table of mistakes. It undoes one of them at a time, then two, and asks
// the scheme's own verifier after each step; what then verifies is the mistake.
//
// It has no clock, does no I/O and starts nothing. A context bounds its time.
// What it returns never holds a secret, an expected MAC or a piece of a body.
package explain

import (
	"context"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// Delivery is a delivery with what it is verified by.
type Delivery struct {
	// Scheme is how the delivery should be signed.
	Scheme schemes.Scheme
	// Definition is the source of Scheme, if it is the user's own.
	Definition *schemes.Definition
	// Secrets are the configured ones. Any one may match.
	Secrets []string
	// Request and Body are what was received or kept.
	Request schemes.Request
	Body    []byte
}

// Finding is a mistake, or a sign of one.
type Finding struct {
	// What is wrong.
	What string
	// Do says what to change, at the sender or in the configuration.
	Do string
}

// Explanation is what is known about a refused delivery.
type Explanation struct {
	// Findings are the mistakes: one, or several that were made together.
	Findings []Finding
	// Proven reports whether the delivery verifies once they are undone.
	// Otherwise they are signs that can be seen in the delivery.
	Proven bool
	// Tried names what was tried in vain, and Next what to look at then. Both
	// are empty if the findings are proven, or if the delivery was refused for
	// another reason than its signature.
	Tried, Next string
	// Finished reports whether the search came to its end. It is false if the
	// context ended first, or if the search took too much effort.
	Finished bool
}

// Refused explains a delivery that was refused for a reason. Reasons that have
// nothing to do with the signature have an empty explanation.
func (d *Delivery) Refused(ctx context.Context, reason schemes.Reason) Explanation {
	switch reason {
	case schemes.NoSignedTime:
		return Explanation{Findings: d.notThere(), Proven: true, Finished: true}
	case schemes.SignatureMismatch, schemes.MissingSignature, schemes.MissingSignedHeader,
		schemes.MalformedSignature, schemes.MalformedSignedHeader:
	default:
		return Explanation{Finished: true}
	}
	s := &search{Delivery: d, ctx: ctx, rows: table}
	if found := s.run(); found != nil {
		return Explanation{Findings: found, Proven: true, Finished: true}
	}
	e := Explanation{Tried: s.tried(reason), Next: d.next(reason), Finished: !s.cut}
	if reason == schemes.SignatureMismatch {
		e.Findings = d.signs()
	}
	return e
}

// The search is bounded by the bytes that it hashes and writes, so that no
// delivery costs more than seconds even under a context without a deadline.
const (
	// maxEffort is for each of the stages, in bytes.
	maxEffort = 4 << 30
	// costOfTry is what one try costs besides the body, in bytes to hash.
	costOfTry = 8 << 10
	// maxPaired is the largest body for which two mistakes at once are tried.
	maxPaired = 64 << 10
	// maxBatch bounds the hashing between two looks at the context.
	maxBatch = 4 << 20
)

// part is the part of a delivery that a mistake is in. Findings and the list of
// what was tried have this order.
type part int

const (
	inSecret part = iota
	inBody
	inURL
	inDefinition
	inHeaders
	inScheme
)

// candidate is a delivery after some mistakes were undone.
type candidate struct {
	scheme  schemes.Scheme
	request schemes.Request
	body    []byte
	proven  bool             // there is nothing left to verify
	found   []undone         // what was undone
	details func() []Finding // in place of the row's own sentence
}

type undone struct {
	part
	Finding
}

// search goes through the table for one delivery.
type search struct {
	*Delivery
	ctx       context.Context
	rows      []row
	left      int // of the effort
	cut       bool
	keysMade  [2][]keyTry
	verifiers map[schemes.Scheme]*schemes.Verifier
}

// run looks for one mistake, then for two.
func (s *search) run() []Finding {
	s.left = maxEffort
	start := candidate{scheme: s.Scheme, request: s.Request, body: s.Body}
	if found := s.one(start, func(*row) bool { return true }); found != nil {
		return found
	}
	if len(s.Body) > maxPaired {
		return nil
	}
	s.left = maxEffort
	for i := range s.rows {
		first := &s.rows[i]
		if first.alone || first.secret() || !s.fits(first, start) {
			continue
		}
		for c := range s.apply(first, start) {
			if c.proven {
				continue
			}
			found := s.one(c, func(second *row) bool { return first.goesWith(second) })
			if found != nil {
				return found
			}
			if s.stopped() {
				return nil
			}
		}
	}
	return nil
}

// one looks for one mistake in a candidate.
func (s *search) one(c candidate, wanted func(*row) bool) []Finding {
	secrets := noKeys
	for i := range s.rows {
		r := &s.rows[i]
		if !wanted(r) || !s.fits(r, c) {
			continue
		}
		if r.secret() { // several rows at once, so that the headers are read once
			if wanted := s.keysFor(r); wanted > secrets {
				secrets = wanted
				if found := s.otherKeys(c, wanted); found != nil {
					return found
				}
			}
			continue
		}
		for next := range s.apply(r, c) {
			if s.verifies(&next) {
				return next.findings()
			}
		}
		if s.stopped() {
			return nil
		}
	}
	return nil
}

// fits reports whether a row can change anything about a candidate. A body or a
// secret decides nothing while the headers are refused.
func (s *search) fits(r *row, c candidate) bool {
	if r.part == inBody && len(c.body) > r.largest() {
		return false
	}
	return r.part != inBody && r.part != inSecret || s.opens(c)
}

// apply makes the candidates of a row, each with the row's sentence. It leaves
// out those that change nothing.
func (s *search) apply(r *row, c candidate) func(func(candidate) bool) {
	return func(yield func(candidate) bool) {
		r.try(s, c, func(next candidate, words string) bool {
			if s.stopped() {
				return false
			}
			next.found = append(slices.Clip(c.found), undone{r.part, Finding{
				strings.ReplaceAll(r.what, "{}", words), strings.ReplaceAll(r.do, "{}", words),
			}})
			return yield(next)
		})
	}
}

// stopped reports whether time or effort are used up.
func (s *search) stopped() bool {
	if s.left >= 0 && s.ctx.Err() == nil {
		return false
	}
	s.cut = true
	return true
}

// spend counts a try over some bytes.
func (s *search) spend(bytes int) { s.left -= costOfTry + bytes }

// findings are those of a candidate that verifies.
func (c *candidate) findings() (all []Finding) {
	found := c.found
	if c.details != nil {
		last := found[len(found)-1]
		found = slices.Clone(found[:len(found)-1])
		for _, f := range c.details() {
			found = append(found, undone{last.part, f})
		}
	}
	slices.SortStableFunc(found, func(a, b undone) int { return int(a.part - b.part) })
	for _, f := range found {
		all = append(all, f.Finding)
	}
	return all
}

// verifies asks the scheme's verifier.
func (s *search) verifies(c *candidate) bool {
	if c.proven {
		return true
	}
	s.spend(len(c.body))
	return matches(s.verifierOf(c.scheme), c.request, c.body)
}

// opens reports whether the headers of a candidate are of the scheme's form.
func (s *search) opens(c candidate) bool {
	v := s.verifierOf(c.scheme)
	if v == nil {
		return false
	}
	opened, err := v.Begin(c.request)
	if err != nil {
		return false
	}
	opened.Close()
	return true
}

// verifierOf keeps the verifier of the scheme under the configured secrets.
// Schemes that are made for one try are not kept.
func (s *search) verifierOf(scheme schemes.Scheme) *schemes.Verifier {
	if v, ok := s.verifiers[scheme]; ok {
		return v
	}
	v := s.verifier(scheme)
	if scheme == s.Scheme {
		s.verifiers = map[schemes.Scheme]*schemes.Verifier{scheme: v}
	}
	return v
}

// verifier makes one for a scheme, or returns nil if it cannot read the secrets.
func (d *Delivery) verifier(scheme schemes.Scheme) *schemes.Verifier {
	v, err := scheme.NewVerifier(d.Secrets)
	if err != nil {
		return nil
	}
	return v
}

func matches(v *schemes.Verifier, r schemes.Request, body []byte) bool {
	return match(v, r, body) > 0
}

// match returns the position of the secret that matches, or 0.
func match(v *schemes.Verifier, r schemes.Request, body []byte) int {
	if v == nil {
		return 0
	}
	d, err := v.Begin(r)
	if err != nil {
		return 0
	}
	defer d.Close()
	d.Write(body)
	n, err := d.Authenticate()
	if err != nil {
		return 0
	}
	return n
}

// opening is a scheme that changes what it reads from the headers. Only what
// surrounds the body can be changed.
func opening(scheme schemes.Scheme, change func(*schemes.SignedHeaders)) schemes.Scheme {
	return engine.Derive(scheme, func(i *engine.Implementation) {
		begin := i.Begin
		i.Begin = func(r schemes.Request, c *schemes.SignedHeaders) error {
			err := begin(r, c)
			if err == nil {
				change(c)
			}
			return err
		}
	})
}
