package schemes_test

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"testing"

	"github.com/hooklatch/hooklatch/schemes"
	"github.com/hooklatch/hooklatch/schemes/schemestest"
)

const testdata = "testdata"

func TestConformance(t *testing.T) {
	schemestest.Run(t, testdata, func(v schemestest.Vector) (schemestest.Answer, error) {
		answer, err := schemestest.Verify(v)
		if err == nil && !answer.Accepted && answer.Reason == "" {
			t.Errorf("%s: refused without a reason", v.ID())
		}
		return answer, err
	})
}

// TestConformanceWithAnotherSecretFirst: the position of a secret does not
// change which deliveries are accepted.
func TestConformanceWithAnotherSecretFirst(t *testing.T) {
	others := map[string]string{}
	for _, v := range read(t) {
		if v.Kind == schemestest.Valid && len(v.Secrets) > 1 {
			others[v.Scheme] = v.Secrets[0]
		}
	}
	schemestest.Run(t, testdata, func(v schemestest.Vector) (schemestest.Answer, error) {
		if other := others[v.Scheme]; other != "" && len(v.Secrets) == 1 && v.Kind != schemestest.Confusion {
			v.Secrets = []string{other, v.Secrets[0]}
		}
		return schemestest.Verify(v)
	})
}

func read(t *testing.T) []schemestest.Vector {
	t.Helper()
	vectors, err := schemestest.Read(testdata)
	if err != nil {
		t.Fatal(err)
	}
	return vectors
}

// TestConformanceIsWhole: every scheme has vectors of each kind that applies to
// it, and every vector belongs to a registered scheme.
func TestConformanceIsWhole(t *testing.T) {
	vectors := map[string][]schemestest.Vector{}
	for _, v := range read(t) {
		vectors[v.Scheme] = append(vectors[v.Scheme], v)
	}
	if got, want := slices.Sorted(maps.Keys(vectors)), schemes.Names(); !slices.Equal(got, want) {
		t.Errorf("vectors of %v, schemes %v", got, want)
	}
	for _, s := range schemes.All() {
		has := map[schemestest.Kind]bool{}
		for _, v := range vectors[s.Name()] {
			has[v.Kind] = true
		}
		published := slices.ContainsFunc(vectors[s.Name()], func(v schemestest.Vector) bool { return v.Source != "" })
		if published != (s.Witness().Published != "") {
			t.Errorf("%s: a vector has the source of a published signature: %t; its Witness names one: %t",
				s.Name(), published, !published)
		}
		for _, kind := range needed(t, s, vectors[s.Name()]) {
			if !has[kind] {
				t.Errorf("%s has no vector of kind %s", s.Name(), kind)
			}
		}
	}
}

// needed returns the kinds of vectors that a scheme needs, derived from its
// properties and its deliveries.
func needed(t *testing.T, s schemes.Scheme, vectors []schemestest.Vector) []schemestest.Kind {
	kinds := []schemestest.Kind{
		schemestest.Valid, schemestest.Tampered, schemestest.WrongSecret, schemestest.Missing, schemestest.Empty,
		schemestest.Truncated, schemestest.Encoding, schemestest.Grammar, schemestest.Repeated, schemestest.Confusion,
	}
	if s.Time() != schemes.NoTime {
		kinds = append(kinds, schemestest.Stale, schemestest.Future)
	}
	if s.Time() == schemes.TimeInBody {
		kinds = append(kinds, schemestest.NoTime)
	}
	if s.SignedBytes() != "body" {
		kinds = append(kinds, schemestest.Recut)
	}
	if len(s.UnsignedHeaders()) > 0 {
		kinds = append(kinds, schemestest.Unsigned)
	}
	if anyDelivery(t, vectors, func(v schemestest.Vector) bool { return isList(t, s, v) }) {
		kinds = append(kinds, schemestest.List)
	}
	if anyDelivery(t, vectors, func(v schemestest.Vector) bool {
		return !bareSignature.MatchString(v.Request().Header.Get(s.SignatureHeader()))
	}) {
		kinds = append(kinds, schemestest.Downgrade)
	}
	return kinds
}

// bareSignature matches a signature without the name of a version or an
// algorithm.
var bareSignature = regexp.MustCompile(`^[A-Za-z0-9+/_-]*=*$`)

func anyDelivery(t *testing.T, vectors []schemestest.Vector, is func(schemestest.Vector) bool) bool {
	t.Helper()
	for _, v := range vectors {
		if v.Kind == schemestest.Valid && v.Expect == schemestest.Accept && v.Request().Header.Get(schemeHeader(t, v)) != "" && is(v) {
			return true
		}
	}
	return false
}

func schemeHeader(t *testing.T, v schemestest.Vector) string {
	t.Helper()
	s, ok := schemes.Get(v.Scheme)
	if !ok {
		t.Fatalf("no scheme %s", v.Scheme)
	}
	return s.SignatureHeader()
}

// isList reports whether a delivery still verifies with another entry after its
// signature.
func isList(t *testing.T, s schemes.Scheme, v schemestest.Vector) bool {
	t.Helper()
	for _, more := range []string{",x=y", ";x=y", " x,y"} {
		longer := v
		longer.Headers = slices.Clone(v.Headers)
		for i, h := range longer.Headers {
			if http.CanonicalHeaderKey(h[0]) == s.SignatureHeader() {
				longer.Headers[i][1] += more
			}
		}
		if answer, err := schemestest.Verify(longer); err == nil && answer.Accepted {
			return true
		}
	}
	return false
}
