package schemestest

import (
	"errors"

	"github.com/hooklatch/hooklatch/schemes"
)

// Verify runs a vector through the registered scheme with its name.
func Verify(v Vector) (Answer, error) {
	s, ok := schemes.Get(v.Scheme)
	if !ok {
		return Answer{}, errors.New("there is no such scheme; import the package that defines it")
	}
	return VerifyWith(s, v)
}

// VerifyWith runs a vector through a scheme that need not be registered.
func VerifyWith(s schemes.Scheme, v Vector) (Answer, error) {
	options := []schemes.Option{schemes.Clock(v.Time)}
	if v.Tolerance != "" {
		options = append(options, schemes.Tolerance(0, 0))
	}
	verifier, err := s.NewVerifier(v.Secrets, options...)
	if err != nil {
		return Answer{}, err
	}
	d, err := verifier.Begin(v.Request())
	if err != nil {
		return refusedWith(err)
	}
	defer d.Close()
	const piece = 7 // bodies arrive in pieces
	for rest := v.Body; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
		_, _ = d.Write(rest[:min(piece, len(rest))]) // never fails
	}
	if _, err := d.Verify(); err != nil {
		return refusedWith(err)
	}
	return Answer{Accepted: true}, nil
}

func refusedWith(err error) (Answer, error) {
	if refusal, ok := errors.AsType[schemes.Refusal](err); ok {
		return Answer{Reason: string(refusal.Reason())}, nil
	}
	return Answer{}, err
}
