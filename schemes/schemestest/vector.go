// Package schemestest contains the conformance suite of the schemes. Its
// vectors are deliveries with the right answer, as data for any implementation;
// the package reads and runs them. schemes/testdata/README.md describes the
// format.
package schemestest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hooklatch/hooklatch/schemes"
)

// Vector is one delivery with the right answer, for an empty history.
type Vector struct {
	Scheme string `json:"scheme"`
	Name   string `json:"name"` // unique in its scheme
	Kind   Kind   `json:"kind"`

	// Secrets are written as a user configures them; any one may match.
	Secrets []string `json:"secrets"`
	// Tolerance is set if a time in the body is checked. It is five minutes in
	// both directions, like the tolerance for a time in the headers.
	Tolerance string `json:"tolerance,omitempty"`

	Method string `json:"method"`
	// URL is the URL as the sender wrote it. It is set if it is signed.
	URL string `json:"url,omitempty"`
	// Headers are names and values; a repeated name is a repeated header.
	Headers [][2]string `json:"headers"`
	Body    []byte      `json:"body_base64"`
	// At is the clock of the verifier, in Unix milliseconds.
	At int64 `json:"at"`

	Expect Expectation `json:"expect"`
	// Reason is Hooklatch's reason for a refusal.
	Reason string `json:"reason,omitempty"`
	Level  Level  `json:"level"`
	// Source is where the signature was published. If it is empty, the
	// signature was made for the suite.
	Source string `json:"source,omitempty"`
	Why    string `json:"why"`
}

// Expectation is the right answer.
type Expectation string

// The answers.
const (
	Accept Expectation = "accept"
	Reject Expectation = "reject"
)

// Level says who agrees with the answer.
type Level string

// Must means that every correct verifier agrees. Policy means that the
// provider's documentation does not say, and the answer is Hooklatch's choice.
const (
	Must   Level = "must"
	Policy Level = "policy"
)

// ID returns a name that is unique among all vectors.
func (v *Vector) ID() string { return v.Scheme + "/" + v.Name }

// Time returns the time of the verifier's clock.
func (v *Vector) Time() time.Time { return time.UnixMilli(v.At) }

// Request returns the delivery without its body.
func (v *Vector) Request() schemes.Request {
	r := schemes.Request{Header: http.Header{}, Method: v.Method}
	for _, h := range v.Headers {
		r.Header.Add(h[0], h[1])
	}
	if scheme, rest, ok := strings.Cut(v.URL, "://"); ok {
		path := strings.IndexByte(rest, '/')
		r.Scheme, r.Host, r.URI = scheme, rest[:path], rest[path:]
	}
	return r
}

// Read reads the vectors of a folder, with one file per scheme.
func Read(dir string) ([]Vector, error) {
	folder := os.DirFS(dir)
	files, err := fs.Glob(folder, "*.json")
	if err != nil {
		return nil, err
	}
	var all []Vector
	for _, file := range files {
		vectors, err := readFile(folder, file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, vectors...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no vectors in %s; name the folder that has a file for each scheme", dir)
	}
	return all, nil
}

// readFile reads the vectors of one scheme, which the file is named after.
func readFile(folder fs.FS, file string) ([]Vector, error) {
	text, err := fs.ReadFile(folder, file)
	if err != nil {
		return nil, err
	}
	vectors, err := parse(text)
	if err != nil {
		return nil, err
	}
	for i := range vectors {
		if v := &vectors[i]; v.Scheme+".json" != file {
			return nil, fmt.Errorf("%s: it is of %s, and belongs into %s.json", v.Name, v.Scheme, v.Scheme)
		}
	}
	return vectors, nil
}

// Parse reads the vectors of one scheme. The given name replaces the scheme in
// the vectors. The fields kind, level, why and method may be absent. Its errors
// name the vector and the field.
func Parse(text []byte, scheme string) ([]Vector, error) {
	return parse(text, func(v *Vector) {
		v.Scheme = scheme
		v.Kind = cmp.Or(v.Kind, Valid)
		v.Level = cmp.Or(v.Level, Must)
		v.Why = cmp.Or(v.Why, v.Name)
		v.Method = cmp.Or(v.Method, http.MethodPost)
	})
}

// parse rejects unknown fields, because an expectation in one would not be
// checked.
func parse(text []byte, complete ...func(*Vector)) (vectors []Vector, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&vectors); err != nil {
		return nil, err
	}
	if dec.More() {
		return nil, errors.New("there is more behind the list of vectors")
	}
	seen := map[string]bool{}
	for i := range vectors {
		v := &vectors[i]
		for _, f := range complete {
			f(v)
		}
		if seen[v.Name] {
			return nil, fmt.Errorf("%s is there twice", v.Name)
		}
		seen[v.Name] = true
		if err := v.check(); err != nil {
			return nil, fmt.Errorf("vector %d, %s: %w", i+1, cmp.Or(v.Name, "without a name"), err)
		}
	}
	return vectors, nil
}

var hasPath = regexp.MustCompile("^https?://[^/]+/")

func (v *Vector) check() error {
	switch {
	case v.Name == "" || v.Why == "" || len(v.Secrets) == 0 || v.Method == "" || v.At == 0:
		return errors.New("name, secrets, method, at or why is missing")
	case !slices.Contains(kinds, v.Kind):
		return fmt.Errorf("kind %q is not known", v.Kind)
	case v.Expect != Accept && v.Expect != Reject:
		return fmt.Errorf("expect %q is not known", v.Expect)
	case (v.Expect == Reject) != (v.Reason != ""):
		return errors.New("a reason belongs to a rejection, and to nothing else")
	case v.Level != Must && v.Level != Policy:
		return fmt.Errorf("level %q is not known", v.Level)
	case v.URL != "" && !hasPath.MatchString(v.URL):
		return errors.New("url is not http:// or https://, a host and a path")
	case v.Tolerance != "" && v.Tolerance != "5m":
		return errors.New("tolerance is 5m, or left out")
	}
	return nil
}
