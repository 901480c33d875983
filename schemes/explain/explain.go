// Package explain says why a delivery does not verify, and what to change. It
// has a table of mistakes. It undoes one mistake at a time, then two, and asks
// the scheme's own verifier after each step. If the delivery then verifies, the
// mistake is found.
//
// It has no clock, does no I/O and starts no goroutines. A context bounds its
// time. Its results never contain a secret, an expected MAC or a part of a
// body.
package explain

import (
	"context"
	"slices"
	"strings"

	"github.com/hooklatch/hooklatch/schemes"
	"github.com/hooklatch/hooklatch/schemes/internal/engine"
)

// Delivery is a delivery with the scheme and the secrets that verify it.
type Delivery struct {
	// Scheme is the scheme that should verify the delivery.
	Scheme schemes.Scheme
	// Definition is the source of Scheme, if it is the user's own.
	Definition *schemes.Definition
	// Secrets are the configured secrets. Any one may match.
	Secrets []string
	// Request and Body are the request and the body as they were received or
	// kept.
	Request schemes.Request
	Body    []byte
}

// Finding is a mistake, or a sign of one.
type Finding struct {
	// What describes the mistake.
	What string
	// Do says what to change, at the sender or in the configuration.
	Do string
}

// Explanation is the result of explaining a refused delivery.
type Explanation struct {
	// Findings are the mistakes: one, or several that were made together.
	Findings []Finding
	// Proven reports whether the delivery verifies after they are undone.
	// Otherwise they are only signs seen in the delivery.
	Proven bool
	// Tried lists the mistakes that were tried without success, and Next says
	// what to check then. Both are empty if the findings are proven, or if the
	// delivery was refused for a reason other than its signature.
	Tried, Next string
	// Finished reports whether the search came to its end. It is false if the
	// context ended first, or if the search took too much effort.
	Finished bool
}

// Refused explains a delivery that was refused for a reason. For a reason that
// does not concern the signature, the explanation is empty.
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
// delivery takes more than seconds even under a context without a deadline.
const (
	// maxEffort is the effort of each stage, in bytes.
	maxEffort = 4 << 30
	// costOfTry is the cost of one try besides the body, in bytes to hash.
	costOfTry = 8 << 10
	// maxPaired is the largest body for which two mistakes at once are tried.
	maxPaired = 64 << 10
	// maxBatch bounds the bytes hashed between two checks of the context.
	maxBatch = 4 << 20
)

// part is the part of a delivery that a mistake is in. Findings and Tried
// follow this order.
type part int

const (
	inSecret part = iota
	inBody
	inURL
	inDefinition
	inHeaders
	inScheme
)

// candidate is a delivery with some mistakes undone.
type candidate struct {
	scheme  schemes.Scheme
	request schemes.Request
	body    []byte
	proven  bool             // the mistake is certain without verifying
	found   []undone         // the mistakes undone
	details func() []Finding // replaces the finding of the last row
}

type undone struct {
	part
	Finding
}

// search tries the table on one delivery.
type search struct {
	*Delivery
	ctx       context.Context
	rows      []row
	left      int // the effort left, in bytes
	cut       bool
	keysMade  [2][]keyTry
	verifiers map[schemes.Scheme]*schemes.Verifier
}

// run searches for one mistake, then for two.
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

// one searches for one mistake in a candidate.
func (s *search) one(c candidate, wanted func(*row) bool) []Finding {
	secrets := noKeys
	for i := range s.rows {
		r := &s.rows[i]
		if !wanted(r) || !s.fits(r, c) {
			continue
		}
		if r.secret() { // tries several rows at once, so that the headers are read once
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

// fits reports whether a row can make a difference for a candidate. The body
// and the secret make none while the headers are refused.
func (s *search) fits(r *row, c candidate) bool {
	if r.part == inBody && len(c.body) > r.largest() {
		return false
	}
	return r.part != inBody && r.part != inSecret || s.opens(c)
}

// apply returns the candidates of a row, each with the row's finding.
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

// stopped reports whether the time or the effort is used up.
func (s *search) stopped() bool {
	if s.left >= 0 && s.ctx.Err() == nil {
		return false
	}
	s.cut = true
	return true
}

// spend counts a try over some bytes.
func (s *search) spend(bytes int) { s.left -= costOfTry + bytes }

// findings returns the findings of a candidate that verifies.
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

// verifies reports whether the scheme's verifier accepts a candidate.
func (s *search) verifies(c *candidate) bool {
	if c.proven {
		return true
	}
	s.spend(len(c.body))
	return matches(s.verifierOf(c.scheme), c.request, c.body)
}

// opens reports whether the scheme can read the headers of a candidate.
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

// verifierOf returns a scheme's verifier with the configured secrets. It caches
// only that of the delivery's scheme, since others are derived for one try.
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

// verifier returns a verifier for a scheme, or nil if the scheme cannot read
// the secrets.
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

// opening derives a scheme that changes the values read from the headers. Only
// the signed text around the body can be changed.
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
